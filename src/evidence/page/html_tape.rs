//! One tape on the page: who it is, what happened to it, link by link.

use super::custodies::{Amount, Custody, Totals};
use super::facts::{Fact, Value, facts, who};
use super::html::{ROWS_MAX, frames};
use super::markup::Html;
use super::model::PageEntry;
use super::sort::{Sort, act};
use super::timeline::timeline;
use super::words;
use crate::tape::{EndState, Header, Labels};

/// The section of one tape. `room` is what is left of the page for links, and is used up.
pub(super) fn section(html: &mut Html, n: usize, custody: &Custody<'_>, merged: bool, room: &mut usize) {
    let number = n.saturating_add(1);
    html.tag("<section class=\"tape\" id=\"tape-").own(number).tag("\"><h2>Tape ").own(number);
    if let Some(name) = &custody.tape.header.labels.name {
        html.tag(": ").quoted(name);
    }
    html.tag("</h2>\n<p>").id(custody.tape.given.tape.to_text()).tag("</p>\n");
    summary(html, custody);
    timeline(html, custody.links, merged);
    html.tag("<h3>Identity, as the recorder sealed it</h3>\n");
    identity(html, custody);
    gaps(html, &custody.tape.header);
    links(html, custody, room);
    html.tag("</section>\n");
}

fn actor(html: &mut Html, entry: &PageEntry) {
    match entry.private.as_ref().map(|private| &private.actor) {
        Some(Some(actor)) => {
            html.quoted(&actor.id).tag(" (").own(actor.authentication.word()).tag(")");
        }
        Some(None) => {
            html.tag("nobody named");
        }
        None => {
            html.tag("somebody whose name is not open in this bundle");
        }
    }
}

fn summary(html: &mut Html, custody: &Custody<'_>) {
    html.tag("<p class=\"summary\">");
    match custody.saved() {
        Some(saved) => {
            html.tag("Saved on ").own(words::moment(saved.time)).tag(" UTC by ");
            actor(html, saved);
            html.tag(". ");
        }
        None => {
            html.tag("The entry that saved it is not in this bundle. ");
        }
    }
    html.own(told(&custody.totals()));
    match custody.links.last() {
        Some(last) if custody.is_this_bundle(last) => {
            html.tag(" The last link, #").own(last.index).tag(", is the making of this bundle, on ");
            html.own(words::moment(last.time)).tag(" UTC by ");
            actor(html, last);
            html.tag(".");
        }
        Some(last) => {
            html.tag(" The last link here is #").own(last.index).tag(", which is not the making of this bundle.");
        }
        None => {
            html.tag(" No link of it is in this bundle.");
        }
    }
    html.tag("</p>\n");
}

/// The middle of the summary: how often it was touched since.
fn told(totals: &Totals) -> String {
    let mut text = format!("Its frames were read {} since", words::times(totals.reads));
    let header = format!(", its header {}", words::times(totals.header_reads));
    let lists = format!("; lists and searches named it {}", words::times(totals.lists));
    text.push_str(&(header + &lists));
    let more = [
        (totals.exports, "it was exported to a file"),
        (totals.bundles, "it went into other evidence bundles"),
        (totals.reports, "its custody report was read"),
        (totals.checks, "it was checked"),
        (totals.refusals, "something was refused"),
    ];
    for (n, phrase) in more.into_iter().filter(|(n, _)| *n > 0) {
        text.push_str(&format!("; {phrase} {}", words::times(n)));
    }
    text.push('.');
    // Reads and earlier bundles together: each is an access with an amount of its own.
    if totals.reads > 0 || totals.bundles > 0 {
        text.push_str(&format!(" In all {} of payloads were given out before this bundle", words::bytes(totals.bytes)));
        if totals.unknown > 0 {
            text.push_str(&format!(
                "; for {} the amount is unknown, up to the range",
                words::count(totals.unknown, "act")
            ));
        }
        text.push('.');
    }
    if totals.readers > 0 {
        let readers =
            if totals.readers == 1 { "One name stands".into() } else { format!("{} names stand", totals.readers) };
        text.push_str(&format!(" {readers} behind these acts."));
    }
    if totals.closed > 0 {
        text.push_str(&format!(
            " Of {} the private half (who, why, how much) is not open here.",
            words::count(totals.closed, "link")
        ));
    }
    text
}

fn row(html: &mut Html, label: &'static str, value: Option<Value<'_>>) {
    if let Some(value) = value {
        html.tag("<dt>").tag(label).tag("</dt><dd>");
        put(html, &value);
        html.tag("</dd>\n");
    }
}

fn put(html: &mut Html, value: &Value<'_>) {
    match value {
        Value::Own(text) => html.own(text),
        Value::Id(text) => html.id(text),
        Value::Said(bytes) => html.said(bytes),
    };
}

fn identity(html: &mut Html, custody: &Custody<'_>) {
    let (header, given) = (&custody.tape.header, &custody.tape.given);
    let own = |text: String| Some(Value::Own(text));
    html.tag("<dl class=\"facts\">\n");
    row(html, "Tape id", Some(Value::Id(given.tape.to_text())));
    row(html, "Custody id", Some(Value::Id(given.custody.to_hex())));
    row(html, "Kind", own(header.kind.word().to_owned()));
    row(html, "Class", Some(Value::Said(header.class.as_bytes())));
    row(html, "Namespace", Some(Value::Said(header.namespace.as_bytes())));
    labels(html, "Labels as sealed", &header.labels);
    if let Some((entry, (_, now))) = custody.labelled().and_then(|e| Some((e, e.private.as_ref()?.labels.as_ref()?))) {
        row(html, "Labels given last", own(format!("in entry #{}", entry.index)));
        labels(html, "Labels since then", now);
    }
    row(
        html,
        "Session began",
        header.started_wall_ns.map(|ns| Value::Own(format!("{} UTC, by the recorder's clock", words::moment_ns(ns)))),
    );
    row(
        html,
        "Session ended",
        header.ended_wall_ns.map(|ns| Value::Own(format!("{} UTC, by the recorder's clock", words::moment_ns(ns)))),
    );
    row(html, "How it ended", own(ended(&header.end_state)));
    row(html, "Frames", own(words::grouped(given.frames)));
    row(html, "Frames in this bundle", own(frames(given.frames, given.opened, true)));
    row(html, "Payload", own(words::bytes(header.stats.payload_bytes)));
    for (label, value) in [
        ("Session id", &header.session_id),
        ("Id in the source", &header.legacy_tape_id),
        ("Protocol", &header.protocol),
        ("Transport", &header.transport),
        ("Environment", &header.environment),
    ] {
        row(html, label, value.as_deref().map(Value::Said));
    }
    recorder(html, header);
    for (label, id) in
        [("Amends", header.amends), ("Continues", header.continues), ("Derived from", header.derived_from)]
    {
        row(html, label, id.map(|id| Value::Id(id.to_text())));
    }
    html.tag("</dl>\n");
}

fn labels(html: &mut Html, label: &'static str, labels: &Labels) {
    let mut parts: Vec<Fact<'_>> = Vec::new();
    parts.extend(labels.name.as_deref().map(|name| ("name", Value::Said(name))));
    parts.extend(labels.description.as_deref().map(|text| ("description", Value::Said(text))));
    parts.extend(labels.tags.iter().take(ROWS_MAX).map(|tag| ("tag", Value::Said(tag.as_slice()))));
    html.tag("<dt>").tag(label).tag("</dt><dd>");
    if parts.is_empty() {
        html.tag("<i>none</i>");
    }
    list(html, &parts);
    html.tag("</dd>\n");
}

fn list(html: &mut Html, parts: &[Fact<'_>]) {
    if parts.is_empty() {
        return;
    }
    html.tag("<ul>");
    for (name, value) in parts {
        html.tag("<li>");
        labelled(html, name, value);
        html.tag("</li>");
    }
    html.tag("</ul>");
}

fn ended(state: &EndState) -> String {
    match state {
        EndState::ChildExit(code) => format!("the recorded program ended with exit code {code}"),
        EndState::Signal(signal) => format!("the recorded program was ended by signal {signal}"),
        EndState::Clean => "in order".into(),
        EndState::Crashed(_) => "the recorded program crashed".into(),
        EndState::Truncated => "cut off: the recorder did not end in order".into(),
        EndState::Imported => "imported from a file".into(),
        EndState::Error(_) => "with an error".into(),
        EndState::Continued => "continued in another tape".into(),
    }
}

fn recorder(html: &mut Html, header: &Header) {
    if let Some(recorder) = &header.recorder {
        row(html, "Recorder's key", recorder.key.map(|key| Value::Id(key.to_hex())));
        row(html, "Recorder's version", recorder.version.as_deref().map(|version| Value::Said(version.as_bytes())));
    }
    if let Some(source) = &header.provenance {
        row(html, "Source file", source.source_name.as_deref().map(Value::Said));
        row(html, "Source format", source.format.as_deref().map(|format| Value::Said(format.as_bytes())));
        row(html, "Source SHA-256", source.source_sha256.map(|digest| Value::Id(digest.to_hex())));
        if !source.losses.is_empty() {
            let losses: Vec<Fact<'_>> =
                source.losses.iter().take(ROWS_MAX).map(|loss| ("", Value::Said(loss.as_bytes()))).collect();
            html.tag("<dt>Not carried over from the source</dt><dd>");
            list(html, &losses);
            html.tag("</dd>\n");
        }
    }
}

fn gaps(html: &mut Html, header: &Header) {
    html.tag("<h3>Known gaps</h3>\n");
    if header.gaps.is_empty() {
        html.tag("<p>The recorder declared none.</p>\n");
        return;
    }
    html.tag("<ul>");
    for gap in header.gaps.iter().take(ROWS_MAX) {
        let count = match gap.count {
            0 => "an unknown number of frames is missing".into(),
            1 => "1 frame is missing".into(),
            n => format!("{} frames are missing", words::grouped(n)),
        };
        html.tag("<li>").own(format!("Before frame {}: {count} ({}).", gap.before_seq, gap.reason.word())).tag("</li>");
    }
    html.tag("</ul>\n");
    if let Some(left) = header.gaps.len().checked_sub(ROWS_MAX).filter(|left| *left > 0) {
        html.element("<p>", words::grouped(left as u64), " more are in custody.json alone.</p>\n");
    }
}

const HEAD_OF_LINKS: &str = "<table class=\"links\"><thead><tr><th>Entry</th><th>When (UTC)</th><th>What</th>\
<th>Who, and from where</th><th>Why and how much</th></tr></thead><tbody>\n";

fn links(html: &mut Html, custody: &Custody<'_>, room: &mut usize) {
    html.tag("<h3>All links, in their order</h3>\n");
    let shown = custody.links.len().min(*room);
    *room = room.saturating_sub(shown);
    if shown > 0 {
        html.tag(HEAD_OF_LINKS);
    }
    for (entry, amount) in custody.links.iter().zip(custody.amounts()).take(shown) {
        link(html, entry, amount);
    }
    if shown > 0 {
        html.tag("</tbody></table>\n");
    }
    let left = custody.links.len().saturating_sub(shown);
    if left > 0 {
        html.element(
            "<p>",
            words::count(left as u64, "further link"),
            " would make this page too long to be read: see <code>custody.json</code>.</p>\n",
        );
    }
}

fn link(html: &mut Html, entry: &PageEntry, amount: Amount) {
    let when = words::moment(entry.time);
    html.tag("<tr class=\"").own(Sort::of(entry.kind).word()).tag("\"><td data-l=\"Entry\">#").own(entry.index);
    html.tag("</td><td class=\"when\">");
    match when.split_once(' ') {
        Some((day, hour)) => html.own(day).tag(" <span class=\"line\">").own(hour).tag("</span>"),
        None => html.own(when),
    };
    html.tag("</td><td><b>")
        .own(act(entry.kind))
        .tag("</b> <span class=\"kind\">")
        .own(entry.kind.name())
        .tag("</span></td><td>");
    match &entry.private {
        Some(private) => {
            if let Some(actor) = &private.actor {
                html.tag("<span class=\"line who\">").said(&actor.id).tag("</span>");
            }
            put_facts(html, &who(private));
        }
        None => {
            html.tag("<i>not open in this bundle</i>");
        }
    }
    html.tag("</td><td>");
    put_facts(html, &facts(entry, amount));
    html.tag("</td></tr>\n");
}

fn labelled(html: &mut Html, label: &'static str, value: &Value<'_>) {
    if !label.is_empty() {
        html.tag("<span class=\"k\">").tag(label).tag("</span>");
    }
    put(html, value);
}

fn put_facts(html: &mut Html, facts: &[Fact<'_>]) {
    for (label, value) in facts {
        html.tag("<span class=\"v\">");
        labelled(html, label, value);
        html.tag("</span> ");
    }
}

/// Entries that are about no tape here.
pub(super) fn table_of_others(html: &mut Html, others: &[&PageEntry]) {
    if others.is_empty() {
        return;
    }
    html.tag("<section><h2>Other entries of the log in this bundle</h2>\n<p>The beginning of the log, changes of its keys, heads of it that others ");
    html.tag("vouch for, and entries that show what else was saved in the time that was asked for.</p>\n");
    html.tag(HEAD_OF_LINKS);
    for entry in others.iter().take(ROWS_MAX) {
        other(html, entry);
    }
    html.tag("</tbody></table>\n");
    let left = others.len().saturating_sub(ROWS_MAX);
    if left > 0 {
        html.element("<p>", words::grouped(left as u64), " more are in <code>entries.cbor</code>.</p>\n");
    }
    html.tag("</section>\n");
}

fn other(html: &mut Html, entry: &PageEntry) {
    html.tag("<tr class=\"").own(Sort::of(entry.kind).word()).tag("\"><td data-l=\"Entry\">#").own(entry.index);
    html.tag("</td><td class=\"when\">").own(words::moment(entry.time));
    html.tag("</td><td><b>")
        .own(act(entry.kind))
        .tag("</b> <span class=\"kind\">")
        .own(entry.kind.name())
        .tag("</span></td><td>");
    if entry.subject == crate::codec::digest::CustodyId::LEDGER {
        html.tag("about the ledger");
    } else {
        html.tag("about a tape, custody id ").id(entry.subject.to_hex());
    }
    html.tag("</td><td>");
    let told: Vec<Fact<'_>> =
        facts(entry, Amount::None).into_iter().filter(|(label, _)| *label != "private half").collect();
    put_facts(html, &told);
    html.tag("</td></tr>\n");
}
