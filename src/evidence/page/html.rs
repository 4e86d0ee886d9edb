//! `custody.html`: one file without scripts, pictures or links out of it, for somebody who decides and is no programmer.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::custodies::Custodies;
use super::html_tape::{section, table_of_others};
use super::markup::Html;
use super::model::BundlePage;
use super::words;
use crate::codec::digest::sha256;
use crate::evidence::bundle::{Asked, Completeness, What};
use crate::log::SignedNote;
use crate::time::Timestamp;

const STYLE: &str = include_str!("custody.css");
/// Most rows of one list on the page; `custody.json` or `COMPLETENESS.json` has them all.
pub(super) const ROWS_MAX: usize = 1_000;
/// Most links of all tapes together.
pub(super) const LINKS_MAX: usize = 50_000;

/// `custody.html`.
#[must_use]
pub fn custody_html(page: &BundlePage) -> String {
    let mut html = Html::default();
    let custodies = Custodies::of(page);
    head(&mut html);
    title(&mut html, page);
    what_was_asked(&mut html, &page.completeness);
    what_is_given(&mut html, page);
    what_is_not(&mut html, &page.completeness);
    the_head(&mut html, page);
    let mut room = LINKS_MAX;
    for (n, tape) in page.tapes.iter().enumerate() {
        section(&mut html, n, &custodies.tape(page, tape), custodies.count() > LINKS_MAX, &mut room);
    }
    table_of_others(&mut html, custodies.others());
    html.tag("<footer><p>This page has no scripts and loads nothing. It can be saved, printed and kept as it is.</p></footer>\n");
    html.tag("</main></body></html>\n");
    html.finish()
}

/// The policy lets the one style in, by its hash, and nothing else: whatever recorded text might do to the markup, no script
/// runs and nothing is loaded or sent.
fn head(html: &mut Html) {
    let hash = STANDARD.encode(sha256(STYLE.as_bytes()));
    html.tag("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"");
    html.tag("default-src 'none'; style-src 'sha256-").own(hash);
    html.tag("'; img-src 'none'; base-uri 'none'; form-action 'none'\">\n");
    html.tag("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n");
    html.tag("<meta name=\"referrer\" content=\"no-referrer\">\n<title>Chain of custody</title>\n<style>").tag(STYLE);
    html.tag("</style></head>\n<body><main>\n");
}

fn title(html: &mut Html, page: &BundlePage) {
    let made = words::moment(Timestamp::from_ms(page.completeness.made_ms));
    html.tag("<h1>Chain of custody</h1>\n<p class=\"sub\">Evidence bundle ");
    html.id(hex::encode(page.completeness.bundle)).tag(", made ").own(made).tag(" UTC</p>\n");
    html.tag("<div class=\"notice\"><p><strong>Nothing on this page is evidence.</strong> The program that keeps the ledger wrote it, so that people can ");
    html.tag("see what the bundle holds. A page like this is easily made up. What counts are the other files of the bundle, and what a ");
    html.tag("verifier says of them with keys that did not come in the bundle: run one as <code>VERIFY.txt</code> says, and believe it ");
    html.tag("where it and this page differ. Times are those of the ledger's own clock.</p></div>\n");
}

type Rows<'a> = &'a mut Html;

fn row(html: Rows<'_>, label: &'static str, value: impl FnOnce(&mut Html)) {
    html.tag("<dt>").tag(label).tag("</dt><dd>");
    value(html);
    html.tag("</dd>\n");
}

fn what_was_asked(html: &mut Html, asked: &Completeness) {
    html.tag("<section><h2>What was asked, and on whose authority</h2>\n<dl class=\"facts\">\n");
    row(html, "Authority", |html| {
        html.said_text(&asked.authority);
    });
    row(html, "Recipient", |html| match &asked.recipient {
        Some(recipient) => {
            html.said_text(recipient);
        }
        None => {
            html.tag("<i>not named</i>");
        }
    });
    if let Some(expires) = asked.expires_ms {
        row(html, "To be given back or destroyed", |html| {
            html.own(words::moment(Timestamp::from_ms(expires))).tag(" UTC");
        });
    }
    row(html, "Asked for", |html| asked_for(html, &asked.asked));
    row(html, "Frames of each tape", |html| {
        html.own(asked.frames.map_or_else(|| "all".into(), words::range));
        html.tag(if asked.payloads {
            ", with what they carry"
        } else {
            ", without what they carry: payloads stay closed"
        });
    });
    row(html, "Log when asked", |html| {
        html.own(entries(asked.log_size));
    });
    html.tag("</dl></section>\n");
}

fn asked_for(html: &mut Html, asked: &Asked) {
    match asked {
        Asked::Ids(ids) => {
            html.own(words::count(ids.ids.len() as u64, "tape")).tag(" by id<ul>");
            for id in ids.ids.iter().take(ROWS_MAX) {
                html.tag("<li>").id(id.to_text()).tag("</li>");
            }
            html.tag("</ul>");
            left_out(html, ids.ids.len());
        }
        Asked::Query(query) => {
            let (from, to) = query.sealed_ms;
            html.tag("every tape that the search ")
                .quoted(query.query.as_bytes())
                .tag(" finds among those saved from ");
            html.own(words::moment(Timestamp::from_ms(from)))
                .tag(" to ")
                .own(words::moment(Timestamp::from_ms(to)))
                .tag(" UTC");
        }
    }
}

/// Says how many rows are not on the page.
fn left_out(html: &mut Html, rows: usize) {
    let left = rows.saturating_sub(ROWS_MAX);
    if left > 0 {
        html.element("<p>", words::grouped(left as u64), " more are in <code>COMPLETENESS.json</code> alone.</p>");
    }
}

fn entries(n: u64) -> String {
    if n == 1 { "1 entry".into() } else { format!("{} entries", words::grouped(n)) }
}

fn what_is_given(html: &mut Html, page: &BundlePage) {
    let c = &page.completeness;
    let whole = c.withheld.iter().filter(|withheld| withheld.what == What::Tape).count();
    html.tag("<section><h2>What is given</h2>\n<ul class=\"tally\">");
    let tallies = [
        (page.tapes.len(), "tapes given"),
        (whole, "tapes withheld"),
        (c.out_of_scope.len(), "tapes out of scope"),
        (c.destroyed.len(), "tapes destroyed"),
        (page.entries.len(), "entries of the log"),
    ];
    for (n, words_of_it) in tallies {
        html.tag("<li><b>").own(words::grouped(n as u64)).tag("</b>").own(words_of_it).tag("</li>");
    }
    html.tag("</ul>\n<table class=\"rest\"><thead><tr><th>Tape</th><th class=\"n\">Entry</th><th class=\"t\">Frames</th></tr></thead><tbody>\n");
    for (n, tape) in page.tapes.iter().enumerate().take(ROWS_MAX) {
        html.tag("<tr><td><a href=\"#tape-").own(n.saturating_add(1)).tag("\">").id(tape.given.tape.to_text());
        html.tag("</a></td><td data-l=\"Entry\">#").own(tape.given.entry).tag("</td><td data-l=\"Frames\">");
        html.own(frames(tape.given.frames, tape.given.opened, c.payloads)).tag("</td></tr>\n");
    }
    html.tag("</tbody></table>\n");
    left_out(html, page.tapes.len());
    html.tag("</section>\n");
}

/// How much of a tape is in the bundle.
pub(super) fn frames(all: u64, opened: Option<(u64, u64)>, payloads: bool) -> String {
    let closed = if payloads { "" } else { ", payloads closed" };
    match opened {
        None => format!("none of {}", words::grouped(all)),
        Some((0, last)) if last.checked_add(1) == Some(all) => format!("all {}{closed}", words::grouped(all)),
        Some(range) => format!("{} of 0 to {}{closed}", words::range(range), all.saturating_sub(1)),
    }
}

fn what_is_not(html: &mut Html, c: &Completeness) {
    html.tag("<section><h2>What is not given, and why</h2>\n");
    if c.withheld.is_empty() && c.destroyed.is_empty() && c.out_of_scope.is_empty() {
        html.tag("<p>Nothing that was asked for is left out, by the ledger's own account.</p></section>\n");
        return;
    }
    html.tag("<table class=\"rest\"><thead><tr><th class=\"t\">What</th><th class=\"n\">Entry</th><th>Tape, and why</th></tr></thead><tbody>\n");
    for withheld in c.withheld.iter().take(ROWS_MAX) {
        let what = match withheld.what {
            What::Tape => "Withheld: the tape",
            What::Frames => "Withheld: some frames",
            What::Payloads => "Withheld: payloads",
            What::Header => "Withheld: header fields",
            What::Private => "Withheld: private half",
        };
        let is_ledger = withheld.custody == crate::codec::digest::CustodyId::LEDGER;
        let tape = Some(withheld.tape.to_text()).filter(|_| !is_ledger);
        let fields: Vec<String> = withheld.fields.iter().take(64).map(u64::to_string).collect();
        let fields = Some(format!("fields {}: ", fields.join(", "))).filter(|_| !withheld.fields.is_empty());
        missing(html, (what, withheld.entry), tape, &fields.unwrap_or_default(), Some(&withheld.why));
    }
    for out in c.out_of_scope.iter().take(ROWS_MAX) {
        let shown = match out.field {
            Some(field) => format!("shown by header field {field}: "),
            None => "nothing in the bundle shows it: ".into(),
        };
        missing(html, ("Out of scope", out.entry), Some(out.tape.to_text()), &shown, Some(&out.why));
    }
    for destroyed in c.destroyed.iter().take(ROWS_MAX) {
        let by = format!("certified by entry #{}", destroyed.by);
        missing(html, ("Destroyed", destroyed.entry), Some(destroyed.tape.to_text()), &by, None);
    }
    html.tag("</tbody></table>\n");
    for rows in [c.withheld.len(), c.out_of_scope.len(), c.destroyed.len()] {
        left_out(html, rows);
    }
    html.tag("</section>\n");
}

fn missing(html: &mut Html, (what, entry): (&'static str, u64), tape: Option<String>, own: &str, why: Option<&str>) {
    html.tag("<tr><td><strong>").tag(what).tag("</strong></td><td data-l=\"Entry\">#").own(entry).tag("</td><td>");
    match tape {
        Some(tape) => html.id(tape),
        None => html.tag("about the ledger as a whole"),
    };
    html.tag("<span class=\"line\">").own(own);
    if let Some(why) = why {
        html.said_text(why);
    }
    html.tag("</span></td></tr>\n");
}

fn the_head(html: &mut Html, page: &BundlePage) {
    html.tag("<section><h2>The head of the log that all of this hangs on</h2>\n<dl class=\"facts\">\n");
    row(html, "Log", |html| {
        html.said_text(&page.head.origin);
    });
    row(html, "Ledger id", |html| {
        html.id(page.completeness.ledger.to_hex());
    });
    row(html, "Size", |html| {
        html.own(entries(page.head.size));
    });
    row(html, "Root", |html| {
        html.id(page.head.root.to_hex());
    });
    let note = SignedNote::parse(&page.note).ok();
    row(html, "Signature lines", |html| {
        html.tag("<ul>");
        for line in note.iter().flat_map(|note| note.signatures()) {
            html.tag("<li>").said_text(&line.name);
            match cosigned_ms(&line.signature) {
                Some(ms) => {
                    html.tag(", a cosignature that says ").own(words::moment(Timestamp::from_ms(ms))).tag(" UTC")
                }
                None if line.name == page.head.origin => html.tag(", the log itself"),
                None => html,
            };
            html.tag("</li>");
        }
        html.tag("</ul>");
    });
    html.tag("</dl>\n<p>Compare size and root with those that witnesses, regulators or you yourself kept at other times. Whether the ");
    html.tag("signatures hold, and whose they are, is for a verifier to say.</p></section>\n");
}

/// Milliseconds of a line in the form of a cosignature (`docs/format/5-proof.md` 5.1): eight bytes of seconds before 64 of signature.
pub(super) fn cosigned_ms(signature: &[u8]) -> Option<u64> {
    let (seconds, rest) = signature.split_first_chunk::<8>()?;
    (rest.len() == 64).then(|| u64::from_be_bytes(*seconds).saturating_mul(1_000))
}
