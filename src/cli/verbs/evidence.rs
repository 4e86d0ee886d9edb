//! `evidence`: one file with which a stranger can check tapes, their custody, and that nothing is missing.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use crate::anchor::{Http, Transport, round};
use crate::cli::args::{Evidence as Args, Filters};
use crate::cli::asked;
use crate::cli::bag_files::{BagFiles, Form};
use crate::cli::confirmed::confirmed;
use crate::cli::export_files::{Given, Target};
use crate::cli::input::shown;
use crate::cli::interrupts::Interrupts;
use crate::cli::range::FrameRange;
use crate::cli::session::Session;
use crate::cli::table::{Column, Table};
use crate::cli::{json as js, words};
use crate::codec::escape::{visible, visible_short};
use crate::error::{Code, Error, Result};
use crate::evidence::bundle::{Completeness, What};
use crate::ledger::{EvidenceOrder, FilterError, Ledger, RegisteredBundle, Wanted, named_end, named_span};
use crate::time::Timestamp;

/// Withheld things that are told of, of many.
const WITHHELD_SHOWN: usize = 10;

pub(in crate::cli) fn evidence(s: &mut Session<'_>, args: &Args) -> Result<u8> {
    if args.list {
        return s.with_ledger(async |ledger, s| register(ledger, s).await);
    }
    let order = order(s, args)?;
    let to = args.to.clone().unwrap_or_default();
    let form = Form::of(&to, args.encrypt_to.as_deref())?;
    Target::of(to.clone()).check(&s.parts, false, Given { flag: "--to", force: None })?;
    let interrupts = Interrupts::caught();
    let done = s.with_ledger(async |ledger, s| make(ledger, s, &order, (&to, form), args, &interrupts).await);
    if done.is_err() {
        if interrupts.check().is_err() {
            s.out.say("interrupted: nothing of this bundle is left, but its making is on record");
        }
        s.out.flush();
        interrupts.pass_on();
    }
    done
}

fn order(s: &Session<'_>, args: &Args) -> Result<EvidenceOrder> {
    let now = s.parts.env.clock.read().wall;
    let wanted = match (&args.query, &args.sealed) {
        (Some(query), Some(sealed)) => {
            let (from, to) = window(sealed, now)?;
            let filter = asked::filter(&Filters::default(), std::slice::from_ref(query), now)?;
            Wanted::Query { filter: Box::new(filter), from, to }
        }
        _ => Wanted::Ids(args.ids.clone()),
    };
    let order = EvidenceOrder::new(wanted, args.authority.clone().unwrap_or_default())
        .recipient(args.recipient.clone())
        .frames(args.frames.map(FrameRange::asked));
    let order = match &args.expires {
        Some(when) => order.expires(named_end("--expires", when, now).map_err(usage)?),
        None => order,
    };
    let order = if args.close_payload { order.closed_payloads() } else { order };
    args.withhold.iter().try_fold(order, |order, text| {
        let (id, why) =
            text.split_once('=').filter(|(id, why)| !id.is_empty() && !why.trim().is_empty()).ok_or_else(|| {
                Error::new(Code::Usage, "--withhold takes the id of a tape and the reason: 51bd=privileged")
            })?;
        Ok(order.withhold(id, why))
    })
}

/// Two moments, both included; days are taken in whole.
fn window(text: &str, now: Timestamp) -> Result<(Timestamp, Timestamp)> {
    let ends = text.split_once("..").filter(|(from, to)| !from.is_empty() && !to.is_empty());
    let (from, to) =
        ends.ok_or_else(|| Error::new(Code::Usage, "--sealed takes two dates or moments: 2026-10-01..2026-10-31"))?;
    let named = |value| named_span("--sealed", value, now).map_err(usage);
    Ok((named(from)?.0, named(to)?.1))
}

fn usage(e: FilterError) -> Error {
    Error::new(Code::Usage, visible(e.to_string().as_bytes()))
}

async fn make(
    ledger: &Ledger,
    s: &mut Session<'_>,
    order: &EvidenceOrder,
    (to, form): (&Path, Form),
    args: &Args,
    interrupts: &Interrupts,
) -> Result<u8> {
    confirmed(ledger, args.allow_private).await?;
    let draft = ledger.begin_evidence(&s.parts.who, order).await?;
    let (note, is_quorum) = head(ledger, args.allow_private).await?;
    let evidence = draft.under(&note)?;
    let bag = BagFiles::new(&s.parts, to, form, &|| interrupts.check())?.write(&evidence)?;
    let (completeness, size) = (evidence.completeness().clone(), evidence.head().size);
    let entry = evidence.finish(&bag.digest).await;
    if entry.is_err() {
        // Who is told that it failed must not find it: its end is not on record.
        bag.take_back();
    }
    let made = Made { completeness, entry: entry?, size, is_quorum };
    tell(s, ledger, &made, to, &bag.left())?;
    Ok(0)
}

/// A head over everything that was recorded so far; cosigned where a policy asks for it.
async fn head(ledger: &Ledger, allow_private: bool) -> Result<(String, Option<bool>)> {
    if ledger.witness_policy().is_none_or(|policy| policy.witnesses().is_empty()) {
        return Ok((ledger.release_head().await?.note, None));
    }
    let transport: Arc<dyn Transport> = Arc::new(Http::new(allow_private, None)?);
    let made = round(ledger, &transport).await?;
    Ok((made.note, Some(made.is_quorum)))
}

struct Made {
    completeness: Completeness,
    entry: u64,
    size: u64,
    is_quorum: Option<bool>,
}

fn tell(
    s: &mut Session<'_>,
    ledger: &Ledger,
    made: &Made,
    to: &Path,
    (bytes, sha256, files): &(u64, String, u64),
) -> Result<()> {
    let Made { completeness, entry, size, is_quorum } = made;
    let bundle = hex::encode(completeness.bundle);
    if s.out.json {
        s.out.document(json!({
            "type": "evidence", "bundle": bundle, "path": js::text(to.as_os_str().as_encoded_bytes()),
            "sha256": sha256, "bytes": bytes, "files": files,
            "given": completeness.given.iter().map(|given| given.tape.to_text()).collect::<Vec<_>>(),
            "withheld": completeness.withheld.len(), "out_of_scope": completeness.out_of_scope.len(),
            "size": size, "quorum": is_quorum, "entry": entry,
            "verifier": ledger.checkpoint_key().to_text(), "recorder": hex::encode(ledger.recorder_key()?.to_bytes()),
        }));
        return Ok(());
    }
    s.out.prose(&format!("wrote {}  {}", shown(to), words::bytes(*bytes)));
    s.out.prose(&format!("bundle {bundle}, sha256 {sha256} of its tag manifest"));
    s.out.prose(&format!(
        "{} given, {} out of scope; {} withheld",
        words::count(completeness.given.len() as u64, "tape"),
        completeness.out_of_scope.len(),
        words::count(completeness.withheld.len() as u64, "thing"),
    ));
    tell_withheld(s, completeness);
    match is_quorum {
        Some(true) => s.out.prose(&format!("under a head over {size} entries, cosigned by the quorum of the policy")),
        Some(false) => s.out.prose(&format!(
            "under a head over {size} entries that too few witnesses cosigned: whoever checks it will say `not anchored`"
        )),
        None => s.out.prose(&format!(
            "under a head over {size} entries that nobody else vouches for: whoever checks it will say `not anchored`"
        )),
    }
    s.out.say(&format!(
        "Recorded as entry #{entry}. Give these keys on another way than the bundle; they check it with"
    ));
    let is_sealed = to.extension().is_some_and(|extension| extension == "age");
    let opened = if is_sealed { to.with_extension("") } else { to.to_owned() };
    if is_sealed {
        s.out.say(&format!("  age --decrypt --identity KEY --output {} {}", shown(&opened), shown(to)));
    }
    s.out.say(&format!("  immutape verify --bundle {} \\", shown(&opened)));
    s.out.say(&format!("    --pub {} \\", ledger.checkpoint_key().to_text()));
    s.out.say(&format!("    --pub {}", hex::encode(ledger.recorder_key()?.to_bytes())));
    Ok(())
}

/// The first things that are not given; the bundle has all of them.
fn tell_withheld(s: &mut Session<'_>, completeness: &Completeness) {
    for withheld in completeness.withheld.iter().take(WITHHELD_SHOWN) {
        let what = match withheld.what {
            What::Tape => "the tape",
            What::Frames => "some frames",
            What::Payloads => "the payloads",
            What::Header => "fields of the header",
            What::Private => "who and why of an entry",
        };
        let of = words::short(&withheld.tape.to_hex()).to_owned();
        let why = visible_short(withheld.why.as_bytes(), 120);
        s.out.prose(&format!("  withheld: {what} of {of}: {why}"));
    }
    let more = completeness.withheld.len().saturating_sub(WITHHELD_SHOWN);
    if more > 0 {
        s.out.prose(&format!("  and {more} more, in COMPLETENESS.json"));
    }
}

async fn register(ledger: &Ledger, s: &mut Session<'_>) -> Result<u8> {
    let all = ledger.evidence_register(&s.parts.who).await?;
    if s.out.json {
        all.iter().for_each(|one| s.out.document(document(one)));
        return Ok(0);
    }
    if all.is_empty() {
        s.out.say("no bundle was made yet");
        return Ok(0);
    }
    const TABLE: Table<'_> = Table {
        kinds: &[Column::Text, Column::Text, Column::Number, Column::Text, Column::Long, Column::Long],
        spare: &[5, 4],
    };
    let mut rows = vec![["BUNDLE", "MADE (UTC)", "TAPES", "STATE", "FOR", "AUTHORITY"].map(str::to_owned).to_vec()];
    let text =
        |bytes: &Option<Vec<u8>>| bytes.as_deref().map_or_else(String::new, |b| visible_short(b, 80).to_string());
    for one in &all {
        let bundle: String = hex::encode(one.bundle).chars().take(12).collect();
        rows.push(vec![
            bundle,
            words::moment(one.made),
            one.tapes.len().to_string(),
            one.state.word().to_owned(),
            text(&one.recipient),
            text(&one.authority),
        ]);
    }
    s.out.table(&TABLE, &rows);
    Ok(0)
}

fn document(one: &RegisteredBundle) -> serde_json::Value {
    let text = |bytes: &Option<Vec<u8>>| bytes.as_deref().map(js::text);
    json!({
        "type": "bundle", "bundle": hex::encode(one.bundle), "made_ms": one.made.as_ms(), "state": one.state.word(),
        "tapes": one.tapes.iter().map(|custody| custody.to_hex()).collect::<Vec<_>>(),
        "recipient": text(&one.recipient), "authority": text(&one.authority), "expires_ms": one.expires_ms,
        "sha256": one.digest.map(|digest| digest.to_hex()), "entry": one.entry, "given_entry": one.given_entry,
    })
}
