//! `man`: manual pages, from the very definition of the command line.

use clap::{Command, CommandFactory as _};
use serde_json::json;

use crate::cli::args::{Cli, Man};
use crate::cli::asked::alike;
use crate::cli::input;
use crate::cli::out::Out;
use crate::codec::escape::visible_short;
use crate::error::{Code, Error, Result};
use crate::store::files::{Files, RealFiles, write_atomic};

pub(in crate::cli) fn man(out: &mut Out, args: &Man) -> Result<u8> {
    let mut command = Cli::command();
    command.build();
    if let Some(folder) = &args.output {
        let io = |e| Error::new(Code::Io, format!("{} cannot be written to", input::shown(folder))).with_source(e);
        RealFiles.create_dir_all(folder).map_err(io)?;
        for (name, page) in pages(&command)? {
            let path = folder.join(format!("{name}.1"));
            write_atomic(&RealFiles, &path, &page).map_err(io)?;
            if out.json {
                let file = crate::cli::json::text(path.as_os_str().as_encoded_bytes());
                out.document(json!({ "type": "man", "page": name, "file": file }));
            } else {
                out.line(&input::shown(&path));
            }
        }
        return Ok(0);
    }
    let (name, page) = match &args.verb {
        None => ("immutape".to_owned(), page(&command, "immutape")?),
        Some(verb) => {
            let found = find(&command, verb)?;
            let name = format!("immutape-{}", found.get_name());
            (name.clone(), page(found, &name)?)
        }
    };
    if out.json {
        out.document(json!({ "type": "man", "page": name, "text": String::from_utf8_lossy(&page) }));
    } else {
        out.bytes(&page);
    }
    Ok(0)
}

fn find<'a>(command: &'a Command, verb: &str) -> Result<&'a Command> {
    command.find_subcommand(verb).ok_or_else(|| {
        let verbs = command.get_subcommands().map(Command::get_name);
        let meant = alike(verb, verbs)
            .map_or_else(|| "`immutape --help` lists the verbs".to_owned(), |v| format!("did you mean {v}?"));
        Error::new(Code::Usage, format!("there is no verb \"{}\"", visible_short(verb.as_bytes(), 40))).with_hint(meant)
    })
}

/// Every page, with its name.
fn pages(command: &Command) -> Result<Vec<(String, Vec<u8>)>> {
    let mut pages = vec![("immutape".to_owned(), page(command, "immutape")?)];
    for verb in command.get_subcommands().filter(|verb| verb.get_name() != "help") {
        let name = format!("immutape-{}", verb.get_name());
        pages.push((name.clone(), page(verb, &name)?));
    }
    Ok(pages)
}

fn page(command: &Command, name: &str) -> Result<Vec<u8>> {
    let command = command.clone().version(env!("CARGO_PKG_VERSION"));
    let mut page = Vec::new();
    let failed = |e| Error::new(Code::Internal, "a manual page cannot be made").with_source(e);
    clap_mangen::Man::new(command).title(name).render(&mut page).map_err(failed)?;
    Ok(page)
}
