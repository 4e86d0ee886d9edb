//! What was recorded is inert on the page, what is counted agrees, and the text that says how to check is one that can be followed.

use std::collections::BTreeSet;

use serde_json::Value;

use super::samples::{HOSTILE, PLAIN, Texts, page};
use super::*;
use crate::codec::digest::CustodyId;
use crate::codec::escape::is_visible;
use crate::log::Body;

/// Names and attributes of every tag, read as a browser's tokenizer would: from each `<` to the next `>` outside quotes.
fn tags(html: &str) -> Vec<String> {
    let mut tags = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        let mut quoted = false;
        let end = rest[at..].find(|c| {
            quoted ^= c == '"';
            c == '>' && !quoted
        });
        let end = at + end.expect("a tag that does not end");
        tags.push(rest[at + 1..end].to_owned());
        rest = &rest[end + 1..];
    }
    tags
}

/// The tag without the values of its attributes.
fn shape(tag: &str) -> String {
    let mut out = String::new();
    for (n, part) in tag.split('"').enumerate() {
        if n % 2 == 0 {
            out.push_str(part);
        }
    }
    out
}

/// The page without its style, which is no markup.
fn body_of(html: &str) -> (String, String) {
    let (before, rest) = html.split_once("<style>").unwrap();
    let (style, after) = rest.split_once("</style>").unwrap();
    (format!("{before}{after}"), style.to_owned())
}

#[test]
fn hostile_text_adds_no_tag_and_hides_nothing() {
    let (plain, _) = body_of(&custody_html(&page(&PLAIN)));
    let (hostile, style) = body_of(&custody_html(&page(&Texts::all(HOSTILE))));
    let shapes = |html: &str| tags(html).iter().map(|tag| shape(tag)).collect::<Vec<_>>();
    // Tag for tag the same page: whatever was recorded, it is text.
    assert_eq!(shapes(&hostile), shapes(&plain));
    let names: BTreeSet<String> = shapes(&hostile)
        .iter()
        .map(|tag| tag.trim_start_matches('/').split([' ', '/']).next().unwrap().to_owned())
        .collect();
    for name in ["script", "img", "iframe", "object", "link", "form", "base"] {
        assert!(!names.contains(name), "{name}");
    }
    for attribute in
        shapes(&hostile).iter().flat_map(|tag| tag.split(' ').skip(1).map(str::to_owned).collect::<Vec<_>>())
    {
        assert!(!attribute.starts_with("on") && !attribute.starts_with("style"), "{attribute}");
    }
    assert!(hostile.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(hostile.contains("\\u{202e}\\u{200b}\\u{2066}\\x1b[2J\\x00\\r\\n\\u{e0041}é"));
    let hidden = hostile.chars().find(|c| *c != '\n' && !is_visible(*c));
    assert_eq!(hidden, None);
    assert!(!style.contains('<'));
}

#[test]
fn the_policy_lets_in_its_own_style_alone() {
    use base64::Engine as _;
    let html = custody_html(&page(&PLAIN));
    let (_, style) = body_of(&html);
    let hash = base64::engine::general_purpose::STANDARD.encode(crate::codec::digest::sha256(style.as_bytes()));
    let policy =
        format!("default-src 'none'; style-src 'sha256-{hash}'; img-src 'none'; base-uri 'none'; form-action 'none'");
    assert!(html.contains(&format!("<meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">")), "{policy}");
    // The policy comes before anything that it could let in.
    assert!(html.find("Content-Security-Policy") < html.find("<style>"));
    for tag in tags(&body_of(&html).0) {
        for part in tag.split_whitespace().filter(|part| part.starts_with("href=") || part.starts_with("src=")) {
            assert!(part.starts_with("href=\"#tape-"), "{part}");
        }
    }
}

#[test]
fn there_is_a_mark_for_each_link_and_a_row_too() {
    let page = page(&PLAIN);
    let html = custody_html(&page);
    let sections: Vec<&str> = html.split("<section class=\"tape\"").skip(1).collect();
    assert_eq!(sections.len(), 2);
    let json: Value = serde_json::from_str(&custody_json(&page)).unwrap();
    for (n, section) in sections.iter().enumerate() {
        let section = section.split("</section>").next().unwrap();
        let links = json["tapes"][n]["links"].as_array().unwrap();
        assert_eq!(section.matches("<circle ").count(), links.len());
        assert_eq!(section.matches("<td data-l=\"Entry\">").count(), links.len());
        for link in links {
            assert!(section.contains(&format!("<title>#{} ", link["index"])), "{link}");
            assert!(section.contains(&format!("<td data-l=\"Entry\">#{}</td>", link["index"])), "{link}");
        }
        let id = page.tapes[n].given.tape.to_text();
        assert!(section.contains(&format!("<code>{id}</code>")));
    }
}

#[test]
fn a_tape_has_its_own_links_and_those_that_gave_it_out() {
    let page = page(&PLAIN);
    let json: Value = serde_json::from_str(&custody_json(&page)).unwrap();
    let indices = |n: usize| -> Vec<u64> {
        json["tapes"][n]["links"].as_array().unwrap().iter().map(|link| link["index"].as_u64().unwrap()).collect()
    };
    // The search named the second tape alone; the list of everything named both.
    assert!(!indices(0).contains(&160) && indices(1).contains(&160));
    assert!(indices(0).contains(&161) && indices(1).contains(&161));
    assert_eq!(indices(0).last(), Some(&170));
    assert_eq!(json["other_entries"], serde_json::json!([0, 60, 70, 71]));
    // The other tapes of a set are closed in the bundle, and so they are here.
    let other = CustodyId::from_bytes(super::samples::id("another tape")).to_hex();
    assert!(!json.to_string().contains(&other) && !custody_html(&page).contains(&other));
}

#[test]
fn a_list_of_everything_counts_only_with_its_private_half() {
    let mut page = page(&PLAIN);
    let list = page.entries.iter_mut().find(|entry| entry.index == 161).unwrap();
    assert!(matches!(list.body, Body::Listed { list: None, .. }));
    list.private = None;
    let json: Value = serde_json::from_str(&custody_json(&page)).unwrap();
    assert!(json["other_entries"].as_array().unwrap().contains(&161.into()));
    // Members that are shown make it a link again.
    page.entries.iter_mut().find(|entry| entry.index == 161).unwrap().members = vec![page.tapes[0].given.custody];
    let json: Value = serde_json::from_str(&custody_json(&page)).unwrap();
    assert!(json["tapes"][0]["links"].as_array().unwrap().iter().any(|link| link["index"] == 161));
    assert!(!json["tapes"][1]["links"].as_array().unwrap().iter().any(|link| link["index"] == 161));
}

#[test]
fn a_refusal_of_digits_that_were_asked_for_is_a_link_of_the_tape_that_has_them() {
    let mut page = page(&PLAIN);
    let digits = page.tapes[1].given.tape.to_hex()[..8].to_owned();
    let list = page.entries.iter_mut().find(|entry| entry.index == 161).unwrap();
    list.body = Body::Refused { act: 32, error: 60 };
    list.kind = list.body.kind().unwrap();
    list.private.as_mut().unwrap().query = Some(digits.into_bytes());
    let json: Value = serde_json::from_str(&custody_json(&page)).unwrap();
    let has = |n: usize| json["tapes"][n]["links"].as_array().unwrap().iter().any(|link| link["index"] == 161);
    assert!(!has(0) && has(1));
}

#[test]
fn numbers_agree() {
    let page = page(&PLAIN);
    let json: Value = serde_json::from_str(&custody_json(&page)).unwrap();
    let totals = &json["tapes"][0]["totals"];
    let expected = serde_json::json!({
        "reads": 6, "header_reads": 1, "custody_reports": 1, "lists": 1, "exports": 1, "other_bundles": 0, "checks": 1,
        "refusals": 1, "closed": 1, "bytes_given": 5 * 18_400 + 1 + 2 + 3 + 5, "amount_unknown": 1, "readers": 4,
        "links": json["tapes"][0]["links"].as_array().unwrap().len(),
    });
    assert_eq!(*totals, expected);
    let given: Vec<&Value> = json["tapes"][0]["links"].as_array().unwrap().iter().map(|link| &link["given"]).collect();
    assert_eq!(given.iter().filter(|given| **given == "unknown").count(), 1);
    assert_eq!(given.iter().filter(|given| **given == "this bundle").count(), 1);
    assert_eq!(given.iter().filter_map(|given| given.as_u64()).sum::<u64>(), 92_011);
    let html = custody_html(&page);
    assert!(html.contains("Its frames were read 6 times since, its header once"));
    assert!(html.contains(
        "In all 92,011 bytes of payloads were given out before this bundle; for 1 act the amount is unknown, up to the range."
    ));
    assert_eq!(html.matches("amount unknown, up to the range</span>").count(), 2);
    assert_eq!(json["entries"].as_array().unwrap().len(), page.entries.len());
    assert_eq!(json["head"]["signature_lines"][1]["name"], "witness.example/w1");
    assert_eq!(json["head"]["signature_lines"][0]["cosigned"], Value::Null);
    assert!(json["head"]["signature_lines"][1]["cosigned"].as_str().unwrap().starts_with("2026-11-28T"));
}

#[test]
fn an_earlier_bundle_is_no_bundle_of_this_page() {
    let mut page = page(&PLAIN);
    page.completeness.bundle = [1; 16];
    let json: Value = serde_json::from_str(&custody_json(&page)).unwrap();
    assert_eq!(json["tapes"][0]["totals"]["other_bundles"], 1);
    assert!(custody_html(&page).contains("which is not the making of this bundle"));
    page.entries.clear();
    let html = custody_html(&page);
    assert!(html.contains("The entry that saved it is not in this bundle.") && html.contains("No link of it"));
}

#[test]
fn the_data_reads_back_what_was_recorded_and_is_the_same_each_time() {
    let page = page(&Texts::all(HOSTILE));
    let text = custody_json(&page);
    assert_eq!(text, custody_json(&page));
    assert_eq!(text.chars().find(|c| *c != '\n' && !is_visible(*c)), None);
    let json: Value = serde_json::from_str(&text).unwrap();
    let hostile = std::str::from_utf8(HOSTILE).unwrap();
    assert_eq!(json["authority"], hostile);
    assert_eq!(json["tapes"][0]["header"]["labels"]["name"], hostile);
    assert_eq!(json["entries"].as_array().unwrap().iter().find(|e| e["index"] == 10).unwrap()["actor"], hostile);
    let raw: Value = serde_json::from_str(&custody_json(&super::samples::page(&Texts::all(b"\xff\0")))).unwrap();
    assert_eq!(raw["tapes"][0]["header"]["session_id"], serde_json::json!({ "b64": "/wA=" }));
}

#[test]
fn very_long_text_is_cut_on_the_page_and_whole_in_the_data() {
    let long: &'static [u8] = Box::leak(vec![b'<'; 200_000].into_boxed_slice());
    let page = page(&Texts::all(long));
    let html = custody_html(&page);
    assert!(html.contains("200,000 characters in all"));
    assert!(!html.contains(&"&lt;".repeat(2_000)));
    let json: Value = serde_json::from_str(&custody_json(&page)).unwrap();
    assert_eq!(json["authority"].as_str().unwrap().len(), 200_000);
}

#[test]
fn a_page_of_very_many_links_has_an_end() {
    let mut page = page(&PLAIN);
    let made = page.entries.pop().unwrap();
    let read = page.entries.iter().find(|entry| matches!(entry.body, Body::MetadataRead)).unwrap().clone();
    for n in 0..60_000 {
        page.entries.push(PageEntry { index: 1_000 + n, subject: page.tapes[0].given.custody, ..read.clone() });
    }
    page.entries.push(made);
    let html = custody_html(&page);
    assert!(html.contains("further links would make this page too long to be read"));
    assert!(html.contains("Links that would cover each other are one mark."));
    assert!(html.matches("<tr class=\"").count() < 51_000);
    assert!(html.len() < 40 << 20, "{}", html.len());
}

#[test]
fn how_to_check_is_short_plain_and_names_this_bundle() {
    for texts in [PLAIN, Texts::all(HOSTILE)] {
        let mut page = page(&texts);
        let text = verify_text(&page);
        assert!(text.is_ascii() && text.ends_with('\n') && !text.contains('\r'));
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.len() <= 80, "{}", lines.len());
        assert!(lines.iter().all(|line| line.chars().count() <= 122 && !line.ends_with(' ')), "{text}");
        assert!(!text.chars().any(|c| c != '\n' && !is_visible(c)));
        let first = page.tapes[0].given.tape.to_hex();
        for wanted in [
            "sha256sum -c manifest-sha256.txt",
            "sha256sum -c tagmanifest-sha256.txt",
            "bagit.py --validate .",
            "data/keys/checkpoint-60.vkey",
            &format!("data/tapes/{first}/saved.tlog-proof"),
            &format!("data/tapes/{first}/statement.cose"),
            "openssl ts -verify -data data/time/71.note -token_in -in data/time/71.tst -CAfile roots.pem",
            "immutape verify --bundle . --pub LOG",
            "ssh-keygen -Y verify -f data/keys/allowed_signers -I ORIGIN -n evidence@immutape \\\n",
        ] {
            assert!(text.contains(wanted), "{wanted}\n{text}");
        }
        // A rotation that the head is not over does not count.
        page.head.size = 60;
        assert!(verify_text(&page).contains("data/keys/checkpoint-0.vkey"));
        page.entries.retain(|entry| entry.index != 71);
        assert!(verify_text(&page).contains("No time-stamp of an authority"));
        page.head.origin = "$(touch x)\u{202e}é`<b>`".into();
        let text = verify_text(&page);
        assert!(text.is_ascii() && text.contains("$(touch x)\\u{202e}\\u{e9}`<b>`"), "{text}");
    }
}

/// Every key of a document, however deep.
fn keys(value: &Value, out: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            out.insert(key.clone());
            keys(value, out);
        }),
        Value::Array(list) => list.iter().for_each(|value| keys(value, out)),
        _ => {}
    }
}

#[test]
fn every_key_of_the_data_is_documented() {
    let page_of_json = include_str!("../../../docs/json.md");
    let ours = page_of_json.split("\n# custody.json of a bundle").nth(1).unwrap();
    let of_entries = page_of_json.split("\n## entry\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let of_bundle = include_str!("../../../docs/format/6-evidence.md");
    let mut json: Value = serde_json::from_str(&custody_json(&page(&PLAIN))).unwrap();
    // What people would ask of a body is as free as in `entry`.
    json["entries"].as_array_mut().unwrap().iter_mut().for_each(|entry| entry["body"] = Value::Null);
    let mut found = BTreeSet::new();
    keys(&json, &mut found);
    assert!(found.len() > 80, "{found:?}");
    for key in found {
        let named = [format!("`{key}`"), format!("`{key}?`"), format!("`{key}[]`"), format!("`{key}[]?`")];
        let is_there = named.iter().any(|name| ours.contains(name) || of_entries.contains(name))
            || of_entries.contains(&format!("{key}."))
            || of_entries.contains(&format!(".{key}"))
            || of_bundle.contains(&format!("\"{key}\""));
        assert!(is_there, "{key}");
    }
}

#[test]
fn no_promises() {
    for text in [custody_html(&page(&PLAIN)), verify_text(&page(&PLAIN)), custody_json(&page(&PLAIN))] {
        for word in ["compliant", "tamper-proof", "tamperproof", "immutable", "guarantee"] {
            assert!(!text.to_lowercase().contains(word), "{word}");
        }
    }
}

#[test]
#[ignore = "writes pages that people can look at"]
fn pages_to_look_at() {
    let folder = std::path::PathBuf::from(std::env::var("CARGO_TARGET_TMPDIR").unwrap_or_else(|_| "target/tmp".into()));
    std::fs::create_dir_all(&folder).unwrap();
    for (name, texts) in [("plain", PLAIN), ("hostile", Texts::all(HOSTILE))] {
        let page = page(&texts);
        std::fs::write(folder.join(format!("custody-{name}.html")), custody_html(&page)).unwrap();
        std::fs::write(folder.join(format!("custody-{name}.json")), custody_json(&page)).unwrap();
        std::fs::write(folder.join(format!("VERIFY-{name}.txt")), verify_text(&page)).unwrap();
    }
}
