//! Examples at the end of every help text.

pub(super) const TOP: &str = "\
First minute:
  immutape demo                          see it catch what was tampered with
  immutape save session.jsonl            keep a recorded session (makes a ledger)
  immutape list                          what is kept
  immutape show 51bd --frames 19..20     read two frames; the read is recorded
  immutape verify                        check everything

Exit codes: 0 good, 1 failure, 2 usage, 3 evidence of tampering, 4 not found or ambiguous,
5 refused by policy, 6 not permitted, 7 locked, 8 no ledger here, 9 key missing or wrong,
10 verified with gaps, 11 the log cannot be written. All of it: docs/operating.md";

pub(super) const INIT: &str = "\
Examples:
  immutape init
  immutape -C ./evidence init --name example.com/audit";

pub(super) const SAVE: &str = "\
Reads version 2 streaming tapes (.jsonl with its .meta.json) and newline-delimited JSON-RPC.

Examples:
  immutape save session.jsonl
  immutape save --class trades --tag desk-7 monday.jsonl tuesday.jsonl
  my-recorder | immutape save --name \"payments batch\" -";

pub(super) const LIST: &str = "\
Examples:
  immutape list
  immutape list --json | jq -r .tape";

pub(super) const SHOW: &str = "\
Reading is recorded before a byte leaves. -> is client to server, <- is server to client.

Examples:
  immutape show 51bd
  immutape show 51bd --frames 19..20 --purpose \"ticket 118\"
  immutape show 51bd --time 400ms..1.5s --raw";

pub(super) const CAT: &str = "\
Each message is followed by what followed it on the wire (a line feed for version 2 tapes).
Reading is recorded before a byte leaves.

Examples:
  immutape cat 51bd > session.jsonl
  immutape cat 51bd --frames 19..20 | jq .params";

pub(super) const EXPORT: &str = "\
Reading is recorded before a byte leaves, and the SHA-256 of what left after it. A file has its name
only once it is whole; one that is there already is replaced only with --force. What each form cannot
say of a tape: docs/operating.md, section 8.

Examples:
  immutape export 51bd --to v2
  immutape export 51bd --to json --output report/ --recipient \"Example & Co, auditors\"
  immutape export 51bd --to raw --frames 19..20 --output - | jq .params";

pub(super) const DIFF: &str = "\
Both reads are recorded. Exit codes: 0 the same, 1 different.

Example:
  immutape diff 51bd c0ff";

pub(super) const VERIFY: &str = "\
Checks entries, links and tree of the log in both copies (journal and sled), the signed head, the
recorder's signatures, every stored byte, and with the keys also the content of every tape.

Exit codes: 0 intact, 10 intact with gaps, 3 altered, 1 too little could be read to say.

Examples:
  immutape verify
  immutape verify 51bd
  immutape verify --all --stored --json";

pub(super) const LOG: &str = "\
Examples:
  immutape log
  immutape log --from 10 --to 20 --all --json";

pub(super) const CUSTODY: &str = "\
Example:
  immutape custody 51bd";

pub(super) const STATUS: &str = "\
Exit codes: 0 good; that of the error when the ledger cannot be opened (3 tampering, 9 keys, ..).

Example:
  immutape status --json";

pub(super) const REPAIR: &str = "\
Nothing is taken on trust and nothing is deleted: what is brought back must reach the signed head,
what is replaced goes to quarantine/, and an entry of the log says so.

Examples:
  immutape repair
  immutape repair --accept-head          after the state folder was lost
  immutape repair --accept-vault         after the newest keys were lost, and every copy was looked for";

pub(super) const DEMO: &str = "\
Example:
  immutape demo";

pub(super) const DELETE: &str = "\
Example:
  immutape delete 51bd";

pub(super) const VERSION: &str = "\
Example:
  immutape version --json";
