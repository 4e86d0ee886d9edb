//! Lists, searches, pages and counts.

use super::clause::{Checked, Clause, Subject, holds, ok, refused, same};
use super::material::tape;
use crate::error::Code;
use crate::provider::{Page, Query, TapeStorageBackend};
use crate::time::Timestamp;

pub(super) const CLAUSES: &[Clause] = &[
    Clause::new("an empty place lists, finds and counts nothing", |s| Box::pin(nothing(s))),
    Clause::new("a list has every tape once, in the order of saving", |s| Box::pin(in_order(s))),
    Clause::new("pages give every tape once and do not shift", |s| Box::pin(pages(s))),
    Clause::new("a cursor that nobody gave is refused", |s| Box::pin(foreign_cursor(s))),
    Clause::new("each condition finds what it is true of", |s| Box::pin(conditions(s))),
    Clause::new("the counts are those of what was kept", |s| Box::pin(counts(s))),
];

const NAMES: [&str; 5] = ["alpha", "beta", "gamma", "delta", "epsilon"];

async fn with_five(s: &Subject) -> Checked<Box<dyn TapeStorageBackend>> {
    let backend = s.empty().await?;
    for (n, name) in NAMES.into_iter().enumerate() {
        let mut kept = tape(name, n as u64);
        if name == "gamma" {
            kept.header.class = "contracts".into();
            kept.header.namespace = "trading".into();
            kept.header.labels.description = Some(b"A late payment".to_vec());
        }
        ok("save", backend.save(&kept).await)?;
    }
    Ok(backend)
}

fn names(page: &Page) -> Vec<String> {
    page.tapes.iter().map(|t| t.name.clone().unwrap_or_default()).collect()
}

async fn nothing(s: Subject) -> Checked<()> {
    let backend = s.empty().await?;
    for page in [backend.list(&Query::all()).await, backend.search(&Query::all()).await] {
        same("an empty place", ok("list", page)?, Page::default())?;
    }
    let stats = ok("stats", backend.stats().await)?;
    same("tapes", (stats.tape_count, stats.total_frames, stats.earliest), (0, 0, None))
}

async fn in_order(s: Subject) -> Checked<()> {
    let backend = with_five(&s).await?;
    let page = ok("list", backend.list(&Query::all()).await)?;
    same("list", names(&page), NAMES.map(String::from).to_vec())?;
    same("next", page.next, None)?;
    for (n, entry) in page.tapes.iter().enumerate() {
        same("frames", entry.frame_count, (n as u64).saturating_add(5))?;
        same("errors", entry.error_count, 1)?;
        same("methods", entry.methods.clone(), vec!["tools/call".to_owned()])?;
        let tape = ok("load", backend.load(&entry.id).await)?;
        let name = tape.header.labels.name.map(|n| String::from_utf8_lossy(&n).into_owned());
        same("the tape that an entry names", name, entry.name.clone())?;
    }
    Ok(())
}

async fn pages(s: Subject) -> Checked<()> {
    let backend = with_five(&s).await?;
    let (mut seen, mut cursor) = (Vec::new(), None);
    for round in 0..NAMES.len() {
        let page = ok("list", backend.list(&Query::all().page(2, cursor)).await)?;
        holds("a page is longer than its limit", page.tapes.len() <= 2)?;
        seen.extend(names(&page));
        cursor = page.next;
        if round == 0 {
            // What is kept between two pages is on none of them.
            ok("save", backend.save(&tape("late", 0)).await)?;
        }
        if cursor.is_none() {
            break;
        }
    }
    same("the pages together", seen, NAMES.map(String::from).to_vec())
}

async fn foreign_cursor(s: Subject) -> Checked<()> {
    let backend = with_five(&s).await?;
    for cursor in ["", "next", "-1", "99999999999999999999.1"] {
        let query = Query::all().page(2, Some(cursor.to_owned()));
        refused(&format!("list from {cursor:?}"), backend.list(&query).await, Code::Usage)?;
    }
    Ok(())
}

async fn conditions(s: Subject) -> Checked<()> {
    let backend = with_five(&s).await?;
    let now = Timestamp::from_ms(1_795_169_821_416);
    for (search, wanted) in [
        ("name:ALPHA", vec!["alpha"]),
        ("tag:conformance tag:beta", vec!["beta"]),
        ("class:contracts", vec!["gamma"]),
        ("namespace:trading", vec!["gamma"]),
        ("\"late payment\"", vec!["gamma"]),
        ("method:tools/call tool:read_file name:eps", vec!["epsilon"]),
        ("error:-32000 errors:yes name:del", vec!["delta"]),
        ("errors:no", vec![]),
        ("kind:terminal", vec![]),
        ("name:nothing", vec![]),
        ("state:erased", vec![]),
    ] {
        let query = ok("parse", Query::parse(search, now))?;
        let page = ok("search", backend.search(&query).await)?;
        same(search, names(&page), wanted.into_iter().map(String::from).collect())?;
    }
    Ok(())
}

async fn counts(s: Subject) -> Checked<()> {
    let backend = with_five(&s).await?;
    let stats = ok("stats", backend.stats().await)?;
    // Five frames each, and as many more as the place in the list.
    same("tapes and frames", (stats.tape_count, stats.total_frames), (5, 35))?;
    let kept = (0..5u64).zip(NAMES).flat_map(|(n, name)| tape(name, n).frames);
    same("bytes", stats.total_bytes, kept.map(|f| f.payload.len() as u64).sum())?;
    // What the others are in is for the settings to say.
    let (named, other): (Vec<_>, Vec<_>) =
        stats.by_namespace.values().zip(stats.by_namespace.keys()).partition(|(_, name)| *name == "trading");
    let counts = |found: Vec<(&u64, &String)>| found.into_iter().map(|(n, _)| *n).collect::<Vec<_>>();
    same("namespaces", (counts(named), counts(other)), (vec![1], vec![4]))?;
    holds("the first tape was kept after the last", stats.earliest.is_some() && stats.earliest <= stats.latest)
}
