//! `provider`: which storage providers there are, and whether one keeps its promises.

use std::path::Path;

use serde_json::{Value, json};

use crate::cli::args::{Common, ProviderVerb};
use crate::cli::configuration::as_usage;
use crate::cli::out::Out;
use crate::cli::surroundings::{self, temporary_folder};
use crate::cli::table::{Column, Table};
use crate::cli::terminal::Paint;
use crate::codec::escape::visible;
use crate::error::{Code, Error, Result};
use crate::provider::config::{Effective, Flags, Sources};
use crate::provider::conformance::{Outcome, Report, Subject, clauses};
use crate::provider::{SettingKind, StorageProviderFactory, StorageRegistry};

pub(in crate::cli) fn provider(out: &mut Out, common: &Common, verb: &ProviderVerb) -> Result<u8> {
    match verb {
        ProviderVerb::List => {
            StorageRegistry::global().all().iter().for_each(|factory| list(out, &**factory));
            Ok(0)
        }
        ProviderVerb::Test { tested } => test(out, common, tested.as_deref()),
    }
}

fn list(out: &mut Out, factory: &dyn StorageProviderFactory) {
    let (name, version, about) = (factory.name(), factory.version(), factory.about());
    if out.json {
        let settings = factory.settings().iter().map(|s| {
            json!({ "key": s.key, "takes": s.kind.to_string(), "default": s.default, "about": s.about, "variable": s.variable })
        });
        out.document(json!({
            "type": "provider", "name": name, "aliases": factory.aliases(), "version": version, "about": about,
            "settings": settings.collect::<Vec<_>>(),
        }));
        return;
    }
    let also = factory.aliases().iter().map(|alias| format!(", also {alias}")).collect::<String>();
    out.prose(&format!("{name} {version}{also}: {about}"));
    const TABLE: Table<'_> = Table { kinds: &[Column::Text, Column::Text, Column::Text, Column::Long], spare: &[3, 2] };
    let mut rows = vec![["  SETTING", "TAKES", "DEFAULT", "WHAT"].map(str::to_owned).to_vec()];
    rows.extend(
        factory
            .settings()
            .iter()
            .map(|s| vec![format!("  {}", s.key), s.kind.to_string(), s.default.to_owned(), s.about.to_owned()]),
    );
    out.table(&TABLE, &rows);
}

/// What is put to the test: the provider that is named, with the settings of `--set`; without a name the one in force.
fn tested(common: &Common, name: Option<&str>) -> Result<Effective> {
    if let Some((name, provider)) = name.zip(common.provider.as_ref())
        && name != provider
    {
        return Err(Error::new(Code::Usage, "--provider names another provider than the one that is to be tested")
            .with_hint("leave one of the two out"));
    }
    let registry = StorageRegistry::global();
    let provider = match name.map(str::to_owned).or_else(|| common.provider.clone()) {
        Some(name) => name,
        None => {
            let sources = Sources::of_process(&surroundings::around()?, Flags::default())?;
            sources.effective(registry).map_err(as_usage)?.provider().to_owned()
        }
    };
    let flags = Flags { provider: Some(provider), settings: common.set.clone() };
    Sources { flags, ..Sources::default() }.effective(registry).map_err(as_usage)
}

fn test(out: &mut Out, common: &Common, name: Option<&str>) -> Result<u8> {
    let effective = tested(common, name)?;
    let factory = StorageRegistry::global().find(effective.provider()).map_err(as_usage)?;
    let paths: Vec<&'static str> =
        factory.settings().iter().filter(|s| s.kind == SettingKind::Path).map(|s| s.key).collect();
    if let Some(setting) = effective.settings().iter().find(|s| paths.contains(&s.key.as_str())) {
        let words = format!("--set: \"{}\" is not for a test: it has a temporary folder of its own", setting.key);
        return Err(Error::new(Code::Usage, words).with_hint("leave it out"));
    }
    let folder = temporary_folder("test")?;
    let (root, config) = (folder.path().to_owned(), effective.config());
    let subject = Subject::new(factory.clone(), move |n| place(&root.join(n.to_string()), &config, &paths))?;
    if !out.json {
        out.prose(&format!(
            "{} {}, in a temporary folder that is removed at the end",
            factory.name(),
            factory.version()
        ));
    }
    let mut outcomes = Vec::new();
    for clause in clauses() {
        let outcome = clause.check(&subject);
        tell(out, clause.name, &outcome);
        outcomes.push((clause.name, outcome));
    }
    Ok(sum(out, factory.name(), &Report { outcomes }))
}

/// Settings of a place that holds nothing yet.
fn place(root: &Path, config: &Value, paths: &[&'static str]) -> Value {
    let mut settings = config.as_object().cloned().unwrap_or_default();
    settings.extend(paths.iter().map(|key| ((*key).to_owned(), Value::from(root.join(key).to_string_lossy()))));
    Value::Object(settings)
}

fn tell(out: &mut Out, clause: &str, outcome: &Outcome) {
    let (paint, word, detail) = match outcome {
        Outcome::Kept => (Paint::Good, "kept", None),
        Outcome::Violated(detail) => (Paint::Bad, "VIOLATED", Some(visible(detail.as_bytes()))),
        Outcome::NotPromised(what) => (Paint::Doubtful, "not promised", Some((*what).to_owned())),
    };
    if out.json {
        let word = word.to_lowercase();
        out.document(json!({ "type": "clause", "clause": clause, "outcome": word, "detail": detail }));
    } else {
        let detail = detail.map_or_else(String::new, |detail| format!(": {detail}"));
        let word = out.look.paint(paint, &format!("{word:<12}"));
        out.prose_beneath(&format!("{word}  {clause}{detail}"), 14);
    }
    // Each takes a moment, and somebody watches.
    out.flush();
}

fn sum(out: &mut Out, provider: &str, report: &Report) -> u8 {
    let (kept, violated, open) = (report.kept(), report.violations().len(), report.not_promised().len());
    let exit = u8::from(violated > 0);
    if out.json {
        out.document(json!({
            "type": "conformance", "provider": provider, "kept": kept, "violated": violated, "not_promised": open,
            "exit": exit,
        }));
        return exit;
    }
    let (paint, word) = if violated == 0 { (Paint::Good, "KEPT") } else { (Paint::Bad, "VIOLATED") };
    let word = out.look.paint(paint, word);
    out.prose(&format!("{word}: {kept} kept, {violated} violated, {open} not promised"));
    exit
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::io::{self, Write};
    use std::rc::Rc;

    use super::*;
    use crate::cli::terminal::Look;

    #[derive(Clone, Default)]
    struct Sink(Rc<RefCell<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Every built-in provider keeps its promises, so what a broken one is told with is looked at here.
    #[test]
    fn a_promise_that_is_broken_is_told_and_ends_with_1() {
        let outcomes = vec![
            ("one", Outcome::Kept),
            ("two", Outcome::Violated("load: \u{1b}[2J lost".into())),
            ("three", Outcome::NotPromised("it takes whole tapes only")),
        ];
        for (json, wanted) in [
            (
                false,
                "VIOLATED      two: load: \\x1b[2J lost\nnot promised  three: it takes whole tapes only\nVIOLATED: 1 kept, 1 violated, 1 not promised\n",
            ),
            (true, "\"violated\":1}\n"),
        ] {
            let printed = Sink::default();
            let look = Look { colour: false, columns: None, terminal: false, words: None };
            let mut out = Out::new(Box::new(printed.clone()), Box::new(Sink::default()), look);
            out.json = json;
            outcomes.iter().for_each(|(name, outcome)| tell(&mut out, name, outcome));
            let exit = sum(&mut out, "broken", &Report { outcomes: outcomes.clone() });
            out.flush();
            let text = String::from_utf8(printed.0.borrow().clone()).unwrap();
            assert_eq!(exit, 1);
            assert!(text.ends_with(wanted) && !text.contains('\u{1b}'), "{text}");
        }
        let kept = Report { outcomes: vec![("one", Outcome::Kept)] };
        let mut out = Out::new(
            Box::new(Sink::default()),
            Box::new(Sink::default()),
            Look { colour: false, columns: None, terminal: false, words: None },
        );
        assert_eq!(sum(&mut out, "good", &kept), 0);
    }
}
