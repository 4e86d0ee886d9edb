//! `label`: new names for a kept tape. An entry about it; the header, and with it the id, stays as it was sealed.

use std::ffi::OsString;

use serde_json::{Map, json};

use crate::cli::args::Label;
use crate::cli::session::Session;
use crate::cli::{json as js, words};
use crate::codec::escape::visible;
use crate::error::{Code, Error, Result};
use crate::tape::Labels;

pub(in crate::cli) fn label(s: &mut Session<'_>, args: &Label) -> Result<u8> {
    check(args)?;
    s.with_ledger(async |ledger, s| {
        let now = ledger.metadata(&s.parts.who, &args.id).await?;
        let labels = changed(&now.labels, args)?;
        // The id in full: a prefix that is unique now may not be when the next question is asked.
        let id = now.tape.to_hex();
        let entry = match labels == now.labels {
            true => None,
            false => Some(ledger.label(&s.parts.who, &id, &labels, args.reason.as_deref()).await?),
        };
        if s.out.json {
            let mut map = Map::new();
            js::put(&mut map, "type", "labelled");
            js::put(&mut map, "tape", now.tape.to_text());
            js::put(&mut map, "custody", now.custody.to_hex());
            js::put(&mut map, "name", js::text_or_null(labels.name.as_deref()));
            js::put(&mut map, "description", js::text_or_null(labels.description.as_deref()));
            js::put(&mut map, "tags", labels.tags.iter().map(|t| js::text(t)).collect::<Vec<_>>());
            js::put(&mut map, "read_entry", now.entry);
            js::put(&mut map, "entry", json!(entry));
            s.out.document(map.into());
            return Ok(0);
        }
        print(s, &labels);
        match entry {
            Some(entry) => {
                s.out.say(&format!("These labels were recorded as entry #{entry}; earlier ones stay in the log."))
            }
            None => s.out.say("These are the labels that the tape has already: nothing was changed."),
        }
        Ok(0)
    })
}

fn check(args: &Label) -> Result<()> {
    let texts = args.name.iter().chain(&args.description).chain(&args.tag).chain(&args.remove_tag);
    if texts.into_iter().any(|text| text.is_empty()) {
        return Err(Error::new(Code::Usage, "a name, description or tag is empty")
            .with_hint("--no-name and --no-description take one away, --remove-tag TAG a tag"));
    }
    if let Some(tag) = args.tag.iter().find(|tag| args.remove_tag.contains(tag)) {
        let shown = visible(tag.as_encoded_bytes());
        return Err(Error::new(Code::Usage, format!("the tag \"{shown}\" is both to be added and taken away")));
    }
    let changes = [args.name.is_some(), args.no_name, args.description.is_some(), args.no_description];
    if !changes.contains(&true) && args.tag.is_empty() && args.remove_tag.is_empty() {
        return Err(Error::new(Code::Usage, "no label was given").with_hint(
            "for example: immutape label 51bd --tag audited; `immutape show 51bd --header` shows those it has",
        ));
    }
    Ok(())
}

/// The labels that were there, with what is asked for.
fn changed(now: &Labels, args: &Label) -> Result<Labels> {
    let bytes = |v: &OsString| v.as_encoded_bytes().to_vec();
    let mut labels = now.clone();
    labels.name = args.name.as_ref().map(bytes).or(labels.name.filter(|_| !args.no_name));
    labels.description = args.description.as_ref().map(bytes).or(labels.description.filter(|_| !args.no_description));
    for tag in args.remove_tag.iter().map(bytes) {
        if !labels.tags.contains(&tag) {
            let tags: Vec<String> = now.tags.iter().map(|t| visible(t)).collect();
            let has = if tags.is_empty() { "it has none".to_owned() } else { format!("it has {}", tags.join(", ")) };
            return Err(
                Error::new(Code::NotFound, format!("this tape has no tag \"{}\"", visible(&tag))).with_hint(has)
            );
        }
        labels.tags.retain(|t| *t != tag);
    }
    for tag in args.tag.iter().map(bytes) {
        if !labels.tags.contains(&tag) {
            labels.tags.push(tag);
        }
    }
    Ok(labels)
}

fn print(s: &mut Session<'_>, labels: &Labels) {
    s.out.field(&format!("name     {}", words::name(labels.name.as_deref())));
    s.out.field(&format!("about    {}", words::name(labels.description.as_deref())));
    let tags: Vec<String> = labels.tags.iter().map(|t| visible(t)).collect();
    s.out.field(&format!("tags     {}", if tags.is_empty() { "-".to_owned() } else { tags.join(", ") }));
}
