//! Examples at the end of every help text.

pub(super) const TOP: &str = "\
First minute:
  immutape demo                          see it catch what was tampered with
  immutape save session.jsonl            keep a recorded session (makes a ledger)
  immutape record -- my-mcp-server       record a session while it happens
  immutape list                          what is kept
  immutape show 51bd --frames 19..20     read two frames; the read is recorded
  immutape verify                        check everything

Exit codes: 0 good, 1 failure, 2 usage, 3 evidence of tampering, 4 not found or ambiguous,
5 refused by policy, 6 not permitted, 7 locked, 8 no ledger here, 9 key missing or wrong,
10 verified with gaps, 11 the log cannot be written. All of it: docs/operating.md";

pub(super) const INIT: &str = "\
Where people have roles, a ledger begins with two founders who may enrol others. Profiles are only
ever made stricter.

Examples:
  immutape init
  immutape init --profile regulated --founder ann:approver=a.pub --founder ben:key-custodian=b.pub
  immutape -C ./evidence init --name example.com/audit";

pub(super) const SAVE: &str = "\
Reads streaming tapes of version 2 (.jsonl, with .meta.json and index.json beside it), older tapes
(one JSON document), JSON-RPC with one message a line, terminal recordings (asciicast 2 and 3) and
HTTP archives (HAR), plain or compressed with gzip or zstd. Formats for --format: tape-v2-jsonl,
tape-json, jsonrpc-lines, asciicast, har. What each loses: docs/operating.md, section 8.

Examples:
  immutape save session.jsonl
  immutape save --class trades --tag desk-7 monday.jsonl tuesday.jsonl
  immutape save --amends 51bd --reason \"its end was missing\" whole.jsonl
  my-recorder | immutape save --name \"payments batch\" -";

pub(super) const RECORD: &str = "\
Goes in front of the command of an MCP server, or of any program that speaks over standard input
and output: the client and the server notice nothing. What comes through is encrypted on disk
within --sync-ms milliseconds; after a crash the next start seals what is there. On a terminal it
says what it does, elsewhere it says nothing.

In a client's configuration:
  \"command\": \"immutape\", \"args\": [\"record\", \"--\", \"my-mcp-server\", \"--its-flag\"]

Exit codes: that of the program; 125 the recorder failed, 126 it may not be run, 127 there is none.

Examples:
  immutape record --name \"payments batch\" -- npx -y @modelcontextprotocol/server-filesystem ./in
  immutape record --class trades --durability each -- my-gateway
  immutape record --recover";

pub(super) const TAIL: &str = "\
Following is an entry in the log before the first frame is shown. Ctrl-C ends it.

Examples:
  immutape tail -f 7c1e
  immutape tail -n 20 51bd";

pub(super) const REPLAY: &str = "\
With --as-server each request gets the answer that it got on the tape, under its own id; one that
is not on the tape gets an error. A server that died ends as it did, once the client asks for more
than it said. The tape is read at the start, which is recorded; the ledger is
free meanwhile.

Examples:
  immutape replay 51bd --speed 10
  immutape replay 51bd --as-server";

pub(super) const IMPORT: &str = "\
Each file has a line of its own, and the files of a folder are taken by their content. A file in
a folder that is no recorded session is left out and told.

Exit codes: 0 all kept, 1 some were not, or none was found.

Examples:
  immutape import ~/recordings
  immutape import --class trades --tag november monday/ tuesday.jsonl";

pub(super) const LABEL: &str = "\
Begins with the labels that the tape has now. Every earlier label stays in the log.

Examples:
  immutape label 51bd --name \"payments batch\" --tag audited --reason \"ticket 118\"
  immutape label 51bd --remove-tag draft";

pub(super) const LIST: &str = "\
All conditions must hold. Words are a search as of `immutape search`.

Examples:
  immutape list
  immutape list --class trades --since 7d --errors yes
  immutape list --limit 50
  immutape list --json | jq -r .tape";

pub(super) const SEARCH: &str = "\
A search is words and conditions, all of which must hold: name: tag: namespace: class: kind:
since: until: method: tool: error: errors: end: state: text:. Words are looked for in names, tags,
descriptions and the other fields of headers, whatever their case. What has spaces stands in
quotation marks.

Examples:
  immutape search tool:read_text_file errors:yes
  immutape search 'name:\"payments batch\" since:2026-11-01'
  immutape search --class trades overdue";

pub(super) const STATS: &str = "\
Takes the same conditions as `immutape list`, and is recorded as one.

Examples:
  immutape stats
  immutape stats --since 30d --json";

pub(super) const SHOW: &str = "\
Reading is recorded before a byte leaves. -> is client to server, <- is server to client.

Examples:
  immutape show 51bd
  immutape show 51bd --frames 19..20 --purpose \"ticket 118\"
  immutape show 51bd --time 400ms..1.5s --raw
  immutape show 51bd --lanes | less      who answered what, after how long, and what nobody did";

pub(super) const CAT: &str = "\
Each message is followed by what followed it on the wire (a line feed for version 2 tapes).
Reading is recorded before a byte leaves.

Examples:
  immutape cat 51bd > session.jsonl
  immutape cat 51bd --frames 19..20 | jq .params";

pub(super) const EXPORT: &str = "\
Reading is recorded before a byte leaves, and the SHA-256 of what left after it. A file has its
name only once it is whole; one that is there already is replaced only with --force. What each form
cannot say of a tape: docs/operating.md, section 9.

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

With --bundle and --published it checks what somebody was given, and opens no ledger: give the keys
that you have from elsewhere, else the word is at best \"unpinned keys\".

Exit codes: 0 intact, 10 intact with gaps or not vouched for by others, 3 altered, missing,
incomplete, rolled back or forked, 1 too little could be read to say.

Examples:
  immutape verify
  immutape verify 51bd
  immutape verify --all --stored --json
  immutape verify --bundle exam.tar --pub log.vkey --pub recorder.pem --witness w1.vkey
  immutape verify --bundle exam.tar --pub log.vkey --pub recorder.pem --tree published --json
  immutape verify --published tree --pub log.vkey --head kept.note
  cat pieces.jsonl | immutape verify --batch";

pub(super) const LOG: &str = "\
Examples:
  immutape log
  immutape log --from 10 --to 20 --all --json";

pub(super) const CUSTODY: &str = "\
Example:
  immutape custody 51bd";

pub(super) const CHECKPOINT: &str = "\
A C2SP checkpoint: three lines and a signature that strangers verify with the key of this log.
Whoever holds one can later tell that nothing before it was changed or lost.

Examples:
  immutape checkpoint > head.txt
  immutape checkpoint --anchored";

pub(super) const PROVE: &str = "\
Getting a proof is an entry of the log like any access. The proof is under the newest head that
witnesses cosigned if that covers the tape, else under one that is signed for it.

Examples:
  immutape prove 51bd
  immutape prove 51bd --receipt --output tape.cose
  immutape prove --consistency 12 57";

pub(super) const EVIDENCE: &str = "\
A bundle holds the tapes with their frames open, every entry about them, proofs, heads that
others hold, the keys, a page about the custody, and what was withheld and why. Making it is
the last entry about each tape in it. A witness policy is asked for a head over it first.
Encrypt what leaves the house with --encrypt-to, or on the way.

Examples:
  immutape evidence 51bd a07c --to exam.tar --authority \"exam 2026-123\"
  immutape evidence 51bd --frames 0..9 --close-payload --to folder --authority \"ticket 7\"
  immutape evidence --query tag:pay --sealed 2026-10-01..2026-10-31 --to oct.tar --authority \"sub 4\"
  immutape evidence 51bd --to x.tar --authority \"order 9\" --recipient court --expires 2027-06-30
  immutape evidence --list";

pub(super) const PUBLISH: &str = "\
Static files as in C2SP tlog-tiles; the checkpoint never names what is not there yet.
Hashes disclose how many entries there are and when; --entries discloses public halves.

Example:
  immutape publish /srv/www/log";

pub(super) const WITNESS: &str = "\
A log that only its owner keeps can be rewound by its owner. A witness on another machine
cosigns each head that extends the last one it saw, and none that does not.

Examples:
  immutape witness set witnesses.policy
  immutape witness show
  immutape witness run --every 5m
  immutape witness serve --name w1.example --witness-key w1.pem --logs logs.policy --folder held";

pub(super) const CLOCK: &str = "\
What this machine's clock says of its own log proves nothing to others. A time-stamp (RFC 3161)
says that an authority saw a head of the log: every entry in it was there by then.

Examples:
  immutape clock set --roots authority.pem --url https://time.example/tsr
  immutape clock show
  immutape clock run --every 1d
  immutape clock challenge --to head.tsq
  immutape clock import head.tsr";

pub(super) const SCRUB: &str = "\
Disks decay without a word, and memory may hold what the disk has lost: this reads past it where the
file system lets it, and says where not. Which part an object is in follows from its digest, so that
in a round of all parts each is read once. Needs no key; others may use the ledger meanwhile.

Exit codes: 0 as it was stored, 3 something is not.

Examples:
  immutape scrub
  immutape scrub --parts 1               everything at once";

pub(super) const SCHEDULE: &str = "\
Nothing is done that the configuration does not name, in immutape.toml here or config.toml in your
config folder:
  [schedule]
  witness_every = \"5m\"                  asks the witnesses (`immutape witness set`)
  time_every = \"1d\"                     has the head time-stamped (`immutape clock set`)
  publish_every = \"10m\"                 with publish_to = \"/srv/www/log\"
  scrub_every = \"1d\"                    with scrub_parts = 30

The ledger is open for each job alone. A job that fails is tried again, later each time.

Examples:
  immutape schedule show
  immutape schedule run
  immutape schedule run --once           from a timer of the system";

pub(super) const STATUS: &str = "\
Exit codes: 0 good; that of the error when the ledger cannot be opened (3 tampering, 9 keys, ..).

Example:
  immutape status --json";

pub(super) const REPAIR: &str = "\
Nothing is taken on trust and nothing is deleted: what is brought back must reach the signed head,
what is replaced goes to quarantine/, and an entry of the log says so.

Examples:
  immutape repair
  immutape repair --accept-head     after the state folder was lost
  immutape repair --accept-vault    after the newest keys were lost, and no copy was found
  immutape repair --from /backup/ledger --head published/checkpoint";

pub(super) const DEMO: &str = "\
Example:
  immutape demo";

pub(super) const SUCCEED: &str = "\
For a ledger that lost entries for good: a witness, or its own signed head, knows more than any copy
has. First try the copies, then `immutape repair`. The old ledger stays as it is and opens no more;
it can be checked for ever. The new one says in its first entries what was lost.

Example:
  immutape succeed --into ~/ledgers/second --head from-witness.txt";

pub(super) const DELETE: &str = "\
Example:
  immutape delete 51bd";

pub(super) const DOCTOR: &str = "\
Records nothing, releases nothing of what is kept, and works on a ledger that does not open.

Exit codes: 0 all is well, 10 something should be looked at, else that of the worst thing found.

Example:
  immutape doctor";

pub(super) const ACTOR: &str = "\
Everybody has a name and a key of their own, which nobody gets afterwards. Roles: recorder, reader,
records-manager, hold-officer, approver, key-custodian, auditor, administrator; who may do what, and
which exclude each other: docs/governance.md. What takes others is written with --to FILE, signed by
them wherever they are, and comes back with --case and --agree.

Examples:
  immutape actor add carol --public carol.pub --as ann --key ann.pem
  immutape actor grant carol recorder --as ann --key ann.pem
  immutape actor grant carol approver --to case.txt --as ann --key ann.pem
  immutape actor grant carol approver --case case.txt --agree case.txt.sig --as ann --key ann.pem
  immutape actor revoke carol recorder --as ann --key ann.pem
  immutape actor rotate carol --public new.pub --as carol --key carol.pem
  immutape actor disable carol --as ann --key ann.pem
  immutape actor show carol --as ann --key ann.pem
  immutape actor list --as ann --key ann.pem";

pub(super) const SIGN: &str = "\
The same as ssh-keygen -Y sign -n approval@immutape -f KEY FILE. No ledger is needed.

Examples:
  immutape sign case.txt --as ben --key ben.pem";

pub(super) const KEY: &str = "\
Public halves alone: no private byte is read out. A key in use is followed only by the one that the
log named before: keep the files of the `next` folder elsewhere, and give them with --with.

Examples:
  immutape key list
  immutape key history
  immutape key rotate recorder
  immutape key rotate checkpoint --with /media/safe/checkpoint.pem
  immutape key revoke recorder --compromised --from 1200";

pub(super) const CONFIG: &str = "\
Examples:
  immutape config print
  immutape config get ledger
  immutape config path";

pub(super) const PROVIDER: &str = "\
What counts, first to last: flags, variables, immutape.toml in the present folder, config.toml in
your config folder, defaults. A test takes its settings from --set alone.
Exit codes of a test: 0 all kept, 1 one is not.

Examples:
  immutape provider list
  immutape provider test embedded
  immutape provider test memory --set testing=yes";

pub(super) const COMPLETIONS: &str = "\
Examples:
  immutape completions bash > ~/.local/share/bash-completion/completions/immutape
  immutape completions zsh > ~/.zfunc/_immutape
  immutape completions fish > ~/.config/fish/completions/immutape.fish";

pub(super) const MAN: &str = "\
Examples:
  immutape man | man -l -
  immutape man verify | man -l -
  immutape man --output ~/.local/share/man/man1";

pub(super) const VERSION: &str = "\
Example:
  immutape version --json";
