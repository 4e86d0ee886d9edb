//! What a program can name of the library stands in `docs/api.txt`, a line each, so that whoever changes it means to.
//!
//! It is read from source text as rustfmt leaves it: modules that are public and not hidden, what their faces give on,
//! and of each item its signature, public fields, variants and methods. `IMMUTAPE_API=write` writes the list anew.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const LIST: &str = "docs/api.txt";

/// Source text by its path below `src`.
type Sources = BTreeMap<String, String>;

/// An item of one file at the margin: its attributes, and its lines from the first to the one that ends it.
struct Item<'a> {
    attributes: Vec<&'a str>,
    lines: Vec<&'a str>,
}

impl Item<'_> {
    fn is_hidden(&self) -> bool {
        self.attributes.iter().any(|a| a.contains("doc(hidden)") || a.contains("cfg(test)"))
    }

    /// What it promises besides its signature.
    fn promises(&self) -> String {
        let told = self.attributes.iter().filter(|a| a.contains("non_exhaustive") || a.contains("derive("));
        told.map(|a| format!("{a} ")).collect()
    }
}

/// Everything in front of a body, on one line.
fn signature(lines: &[&str]) -> String {
    let mut out = String::new();
    for line in lines {
        out.push_str(if out.is_empty() || out.ends_with('(') { "" } else { " " });
        out.push_str(line.trim());
        let ends = [" {", ";", "{}"].iter().any(|end| line.ends_with(end)) || line.trim() == "{";
        if ends && !line.trim_start().starts_with("pub use") || line.ends_with("};") {
            break;
        }
    }
    let out = out.trim_end_matches(['{', '}', ';']).trim_end().replace(", )", ")").replace(",)", ")");
    // How an argument is held within is nobody else's.
    out.replace("(mut ", "(").replace(", mut ", ", ")
}

/// Items that begin `margin` spaces in. Comments and blank lines are passed over.
fn items<'a>(lines: &[&'a str], margin: usize) -> Vec<Item<'a>> {
    let (mut out, mut attributes) = (Vec::new(), Vec::new());
    let mut at = 0;
    let is_at_margin = |line: &str| line.len() > margin && line.len() - line.trim_start().len() == margin;
    while at < lines.len() {
        let line = lines[at];
        if !is_at_margin(line) || line.trim_start().starts_with("//") {
            at += 1;
            continue;
        }
        // It goes on until a line at the margin ends it; what opens brackets is closed at the margin, too.
        let mut end = at;
        let is_end = |line: &str| {
            is_at_margin(line) && (line.ends_with(['}', ';', ']', ',']) || line.ends_with("};") || line.ends_with(')'))
        };
        while end + 1 < lines.len() && !is_end(lines[end]) {
            end += 1;
        }
        if line.trim_start().starts_with('#') {
            attributes.push(line.trim());
        } else {
            out.push(Item { attributes: std::mem::take(&mut attributes), lines: lines[at..=end].to_vec() });
        }
        at = end + 1;
    }
    out
}

/// A name in its own module, and the one it is shown by.
type Names = Vec<(String, String)>;

/// The public face of a library, from its root file.
struct Face<'s> {
    sources: &'s Sources,
    lines: BTreeSet<String>,
}

impl Face<'_> {
    fn read(sources: &Sources) -> BTreeSet<String> {
        let mut face = Face { sources, lines: BTreeSet::new() };
        face.module("", "lib.rs", "", None);
        face.lines
    }

    /// Everything public in a file, or of it what is named in `only`. `folder` is where its modules lie.
    fn module(&mut self, name: &str, file: &str, folder: &str, only: Option<&Names>) {
        let text = self.sources.get(file).unwrap_or_else(|| panic!("{file} is not there"));
        let lines: Vec<&str> = text.lines().collect();
        for item in items(&lines, 0).iter().filter(|item| only.is_some() || !item.is_hidden()) {
            let first = item.lines[0];
            if let Some(module) = first.strip_prefix("pub mod ").filter(|_| only.is_none()) {
                let (file, folder) = self.place(folder, module.trim_end_matches(';'));
                self.module(&format!("{name}{}::", module.trim_end_matches(';')), &file, &folder, None);
            } else if first.starts_with("pub use ") {
                self.given_on(name, &signature(&item.lines), folder, text, only);
            } else if let Some(declared) = declared(first) {
                let all = vec![(declared.to_owned(), declared.to_owned())];
                for (_, shown) in only.unwrap_or(&all).iter().filter(|(here, _)| here == declared) {
                    self.item(&format!("{name}{shown}"), declared, item, file);
                }
            } else if first.ends_with("! {") || first.starts_with("macro_rules! ") {
                self.macros(name, item, only);
            }
        }
    }

    /// The file of a module, and where its own modules lie.
    fn place(&self, folder: &str, module: &str) -> (String, String) {
        let mut inner = folder.to_owned();
        for step in module.split("::") {
            match step {
                "crate" => inner.clear(),
                "super" => inner.truncate(inner.trim_end_matches('/').rfind('/').map_or(0, |at| at + 1)),
                step => inner.push_str(&format!("{step}/")),
            }
        }
        let file = format!("{}.rs", inner.trim_end_matches('/'));
        (if self.sources.contains_key(&file) { file } else { format!("{inner}mod.rs") }, inner)
    }

    /// `pub use module::{A, b as c};`: what stands in a public module too is told by its path, everything else whole.
    fn given_on(&mut self, name: &str, line: &str, folder: &str, text: &str, only: Option<&Names>) {
        let path = line.trim_start_matches("pub use ").trim_end_matches('}');
        let (module, names) = path.split_once("::{").or_else(|| path.rsplit_once("::")).unwrap_or(("", path));
        let pair = |n: &str| n.split_once(" as ").map_or((n.into(), n.into()), |(a, b)| (a.to_owned(), b.to_owned()));
        let mut names: Names = names.split(',').map(str::trim).filter(|n| !n.is_empty()).map(pair).collect();
        if let Some(only) = only {
            let shown = |(from, here): (String, String)| {
                only.iter().find(|(wanted, _)| *wanted == here).map(|(_, shown)| (from, shown.clone()))
            };
            names = names.into_iter().filter_map(shown).collect();
        }
        let (file, inner) = self.place(folder, module);
        if text.contains(&format!("pub mod {module};")) || !self.sources.contains_key(&file) {
            self.lines.extend(names.iter().map(|(from, shown)| format!("{name}{shown} = {module}::{from}")));
        } else if !names.is_empty() {
            self.module(name, &file, &inner, Some(&names));
        }
    }

    /// Its signature, what it holds, and what is implemented for it in the files beside its own.
    fn item(&mut self, path: &str, declared: &str, item: &Item<'_>, file: &str) {
        let mut head = signature(&item.lines);
        // Values of lists, and what a tuple holds for itself, are no promise.
        let ends = [head.find(" = ").filter(|_| head.contains(" = &[") || head.contains(" = [")), {
            head.find('(').filter(|at| head.contains("struct ") && !head[*at..].contains("pub "))
        }];
        head.truncate(ends.into_iter().flatten().min().unwrap_or(head.len()));
        self.lines.insert(format!("{path}: {}{head}", item.promises()));
        let is_open = head.contains("enum ") || head.contains("trait ");
        if is_open || head.contains("struct ") {
            for member in items(&item.lines[1..], 4).iter().filter(|m| !m.is_hidden()) {
                let mut told = signature(&member.lines);
                if head.contains("enum ") {
                    told = member
                        .lines
                        .iter()
                        .map(|l| l.trim())
                        .filter(|l| !l.starts_with("//"))
                        .collect::<Vec<_>>()
                        .join(" ");
                }
                if is_open || told.starts_with("pub ") {
                    self.lines.insert(format!("{path}: {}", told.trim_end_matches(',')));
                }
            }
        }
        let folder = |file: &str| file.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
        for (_, text) in self.sources.iter().filter(|(other, _)| folder(other) == folder(file)) {
            let lines: Vec<&str> = text.lines().collect();
            for block in items(&lines, 0).iter().filter(|b| b.lines[0].starts_with("impl") && !b.is_hidden()) {
                self.implemented(path, declared, block);
            }
        }
    }

    fn implemented(&mut self, path: &str, declared: &str, block: &Item<'_>) {
        let head = signature(&block.lines);
        let (what, of) = head.split_once(" for ").unwrap_or(("", head.trim_start_matches("impl").trim_start()));
        let of = if of.starts_with('<') { of.split_once("> ").map_or(of, |(_, of)| of) } else { of };
        if of.split(['<', ' ']).next() != Some(declared) {
            return;
        }
        if !what.is_empty() {
            self.lines.insert(format!("{path}: {what}"));
            return;
        }
        for method in items(&block.lines[1..], 4).iter().filter(|m| !m.is_hidden()) {
            let told = signature(&method.lines);
            if told.starts_with("pub ") {
                self.lines.insert(format!("{path}: {told}"));
            }
        }
    }

    /// What a macro makes is told by its public lines, and by how it is called.
    fn macros(&mut self, name: &str, item: &Item<'_>, only: Option<&Names>) {
        let lines = item.lines[1..].iter().map(|l| l.trim()).filter(|l| !l.starts_with("//"));
        if let Some(made) = item.lines[0].strip_prefix("macro_rules! ") {
            let made = made.trim_end_matches(" {");
            let public = lines.filter(|l| l.starts_with("pub ") || l.contains("non_exhaustive"));
            self.lines.extend(public.map(|l| format!("{name}{made}!: {}", l.split(" {").next().unwrap())));
            return;
        }
        let words = lines.filter(|l| *l != "}").collect::<Vec<_>>().join(" ");
        let first = words.split(|c: char| !c.is_alphanumeric() && c != '_').find(|w| !w.is_empty()).unwrap_or_default();
        // Named constants have no type of their own there.
        if only.is_some_and(|names| names.iter().all(|(here, _)| here != first) && first.contains(char::is_lowercase)) {
            return;
        }
        let made = format!("{name}{} {first}", item.lines[0].trim_end_matches(" {"));
        self.lines.extend(words.split(';').map(str::trim).filter(|p| !p.is_empty()).map(|p| format!("{made}: {p}")));
    }
}

/// The name that a public item declares.
fn declared(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("pub ")?;
    let words = ["async ", "const fn ", "fn ", "struct ", "enum ", "trait ", "type ", "const ", "static ", "union "];
    let rest = words
        .iter()
        .fold((rest, false), |(rest, found), word| rest.strip_prefix(word).map_or((rest, found), |rest| (rest, true)));
    rest.1.then(|| rest.0.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default())
}

fn take_in(root: &Path, folder: &Path, out: &mut Sources) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            take_in(root, &path, out);
        } else {
            let text = std::fs::read_to_string(&path).unwrap();
            // Tests stand last in our files.
            let text = text.split("#[cfg(test)]\nmod ").next().unwrap().to_owned();
            out.insert(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned(), text);
        }
    }
}

#[test]
fn the_public_face_is_the_one_that_was_agreed_on() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Sources::new();
    take_in(&root.join("src"), &root.join("src"), &mut sources);
    let found = Face::read(&sources);
    if std::env::var("IMMUTAPE_API").is_ok_and(|v| v == "write") {
        let lines: Vec<&str> = found.iter().map(String::as_str).collect();
        std::fs::write(root.join(LIST), lines.join("\n") + "\n").unwrap();
    }
    let listed = std::fs::read_to_string(root.join(LIST)).unwrap();
    let listed: BTreeSet<String> = listed.lines().map(str::to_owned).collect();
    let gone = listed.difference(&found).map(|l| format!("- {l}\n"));
    let new = found.difference(&listed).map(|l| format!("+ {l}\n"));
    let words: String = gone.chain(new).collect();
    assert!(words.is_empty(), "{LIST} says otherwise; IMMUTAPE_API=write writes it anew:\n{words}");
    for sure in [
        "ledger::TapeReader: pub async fn finish_export(",
        "ledger::Repair: AcceptVault",
        "ledger::Filter: pub fn parse(",
    ] {
        assert!(found.iter().any(|line| line.starts_with(sure)), "{sure}");
    }
}

/// A library in which each kind of change is made.
#[test]
fn every_kind_of_change_is_seen() {
    let face = |changed: &str, to: &str| {
        let texts = [
            ("lib.rs", "pub mod room;\n#[doc(hidden)]\npub mod inner;\npub use room::Thing;\n"),
            ("inner.rs", "pub struct Lost {\n    pub x: u8,\n}\n"),
            ("room/mod.rs", "mod thing;\npub use thing::{Thing, made as make};\npub use crate::inner::Lost;\n"),
            (
                "room/thing.rs",
                "/// Words.\n#[derive(Debug)]\npub struct Thing {\n    /// A.\n    pub a: u8,\n    b: u8,\n}\n\npub fn made(\n    a: u8,\n) -> Thing {\n    Thing { a, b: 0 }\n}\n",
            ),
            (
                "room/more.rs",
                "impl Thing {\n    /// Doubles.\n    pub fn twice(&self) -> u8 {\n        self.a * 2\n    }\n\n    fn own(&self) {}\n}\n\nimpl Drop for Thing {\n    fn drop(&mut self) {}\n}\n",
            ),
        ];
        let sources: Sources = texts.map(|(file, text)| (file.into(), text.replace(changed, to))).into();
        Face::read(&sources)
    };
    let before = face("nothing", "");
    let list: Vec<&str> = before.iter().map(String::as_str).collect();
    assert_eq!(
        list,
        [
            "Thing = room::Thing",
            "room::Lost: pub struct Lost",
            "room::Lost: pub x: u8",
            "room::Thing: #[derive(Debug)] pub struct Thing",
            "room::Thing: impl Drop",
            "room::Thing: pub a: u8",
            "room::Thing: pub fn twice(&self) -> u8",
            "room::make: pub fn made(a: u8) -> Thing",
        ]
    );
    for (changed, to) in [
        ("pub a: u8", "pub a: u16"),
        ("pub x", "pub y"),
        ("    a: u8,\n)", "    a: u8,\n    c: u8,\n)"),
        ("-> u8 {", "-> u16 {"),
        ("fn own", "pub fn own"),
        ("#[derive(Debug)]", "#[non_exhaustive]"),
        ("impl Drop", "impl Clone"),
        ("#[doc(hidden)]\n", ""),
        ("made as make", "made"),
    ] {
        assert_ne!(face(changed, to), before, "{changed} to {to}");
    }
    for (changed, to) in [("    b: u8", "    b: u16"), ("Words.", "Others."), ("self.a * 2", "self.a")] {
        assert_eq!(face(changed, to), before, "{changed} to {to}");
    }
}
