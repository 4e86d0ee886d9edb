//! `completions`: a script that lets a shell complete our command line.

use clap::CommandFactory as _;
use serde_json::json;

use crate::cli::args::{Cli, Completions};
use crate::cli::out::Out;
use crate::error::Result;

pub(in crate::cli) fn completions(out: &mut Out, args: &Completions) -> Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "immutape", &mut script);
    if out.json {
        let text = String::from_utf8_lossy(&script);
        out.document(json!({ "type": "completions", "shell": args.shell.to_string(), "text": text }));
    } else {
        out.bytes(&script);
    }
    Ok(0)
}
