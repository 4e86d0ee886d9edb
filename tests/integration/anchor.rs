//! A ledger and its witnesses: honest ones, ones that lie or forget, copies that are older or went another way, and the
//! published tree. The network is a table of functions; `net` tries the real one.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use ed25519_dalek::SigningKey;
use immutape::Code;
use immutape::anchor::{Reply, Transport, WitnessServer, WitnessState, confirm, monitor_path, publish, round};
use immutape::error::{Error, Result};
use immutape::ledger::{Ledger, Places, WITNESS_POLICY_FILE};
use immutape::log::{Checkpoint, NoteKey, SignedNote, leaf_hash, root_of, tiles_between};
use immutape::proof::{CosignerKey, Policy, WitnessRequest};
use immutape::seal::Signer as _;
use immutape::store::files::RealFiles;
use immutape::time::SystemClock;

use crate::heads::Witness;
use crate::support::crash::{copy_folder, every_byte};
use crate::support::ledgers::{ann, create, open};

type Answers = Box<dyn Fn(&str, &str, &[u8]) -> Result<Reply> + Send + Sync>;

/// Servers by the beginning of their addresses.
#[derive(Default)]
struct Net {
    servers: Mutex<HashMap<&'static str, Answers>>,
    asked: Mutex<Vec<String>>,
}

impl Net {
    fn set(&self, at: &'static str, answers: impl Fn(&str, &str, &[u8]) -> Result<Reply> + Send + Sync + 'static) {
        self.servers.lock().unwrap().insert(at, Box::new(answers));
    }

    fn serve(&self, at: &'static str, witness: &Arc<WitnessServer>) {
        let witness = witness.clone();
        self.set(at, move |method, path, body| Ok(witness.answer(method, path, body)));
    }

    fn away(&self, at: &'static str) {
        self.servers.lock().unwrap().remove(at);
    }

    fn ask(&self, method: &str, url: &str, body: &[u8]) -> Result<Reply> {
        self.asked.lock().unwrap().push(format!("{method} {url}"));
        let servers = self.servers.lock().unwrap();
        let found = servers.iter().find_map(|(at, answers)| url.strip_prefix(at).map(|path| (path, answers)));
        match found {
            Some((path, answers)) => answers(method, path, body),
            None => Err(Error::new(Code::Network, "no route")),
        }
    }
}

impl Transport for Net {
    fn get(&self, url: &str) -> Result<Reply> {
        self.ask("GET", url, &[])
    }

    fn post(&self, url: &str, _: &str, body: &[u8]) -> Result<Reply> {
        self.ask("POST", url, body)
    }
}

const W1: &str = "https://w1.example";
const W2: &str = "https://w2.example";

fn signer(byte: u8) -> Witness {
    Witness(SigningKey::from_bytes(&[byte; 32]))
}

fn key(byte: u8) -> CosignerKey {
    CosignerKey::new(&format!("witness.example/{byte}"), signer(byte).public_key()).unwrap()
}

fn serving(byte: u8, log: &NoteKey, folder: &Path) -> Arc<WitnessServer> {
    Arc::new(serve(byte, log, folder).unwrap())
}

fn serve(byte: u8, log: &NoteKey, folder: &Path) -> Result<WitnessServer> {
    let logs = Policy::parse(&format!("log {}\nquorum none\n", log.to_text())).unwrap();
    let clock = Arc::new(SystemClock::new([1; 16]));
    WitnessServer::open(
        &format!("witness.example/{byte}"),
        Box::new(signer(byte)),
        &logs,
        folder,
        Arc::new(RealFiles),
        clock,
    )
}

/// A ledger with two witnesses, of whom so many are the quorum, and their net.
struct Town {
    folder: tempfile::TempDir,
    net: Arc<Net>,
    log: NoteKey,
}

impl Town {
    async fn new(quorum: u8) -> (Self, Ledger) {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        let ledger = create(&home).await;
        let (log, config) = (ledger.checkpoint_key().clone(), Places::beneath(&home).config_of(&ledger.id()).unwrap());
        ledger.close().await.unwrap();
        let policy = format!(
            "witness one {} {W1}\nwitness two {} {W2}/\ngroup both {quorum} one two\nquorum both\n",
            key(11).to_text(),
            key(12).to_text()
        );
        std::fs::write(config.join(WITNESS_POLICY_FILE), policy).unwrap();
        let net = Arc::new(Net::default());
        let town = Self { folder, net, log };
        town.net.serve(W1, &serving(11, &town.log, &town.path("w1")));
        town.net.serve(W2, &serving(12, &town.log, &town.path("w2")));
        let ledger = open(&home).await.unwrap();
        (town, ledger)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn transport(&self) -> Arc<dyn Transport> {
        self.net.clone()
    }
}

async fn grow(ledger: &Ledger, entries: u64) {
    for _ in 0..entries {
        ledger.note_log_read(&ann()).await.unwrap();
    }
}

fn states(round: &immutape::anchor::Round) -> Vec<WitnessState> {
    round.answers.iter().map(|answer| answer.state.clone()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_witnesses_cosign_each_head_that_extends_the_last() {
    let (town, ledger) = Town::new(2).await;
    assert!(!ledger.is_confirmed());
    let mut before = 0;
    for turn in 0..4 {
        grow(&ledger, turn * 3).await;
        let round = round(&ledger, &town.transport()).await.unwrap();
        assert!(round.is_quorum && round.head.size > before, "{round:?}");
        assert!(states(&round).iter().all(|state| matches!(state, WitnessState::Cosigned(_))), "{round:?}");
        let note = SignedNote::parse(&round.note).unwrap();
        assert!(key(11).time_on(&note).unwrap().is_some() && key(12).time_on(&note).unwrap().is_some());
        assert_eq!(ledger.newest_anchor().unwrap().unwrap().note, round.note);
        before = round.head.size;
    }
    ledger.close().await.unwrap();
}

/// Two of two: both must answer at a start. A process that they have confirmed goes on with one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_witness_that_is_away_is_told_and_the_other_alone_confirms_no_start() {
    let (town, ledger) = Town::new(2).await;
    confirm(&ledger, &town.transport()).await.unwrap();
    town.net.away(W2);
    let made = round(&ledger, &town.transport()).await.unwrap();
    assert!(!made.is_quorum && made.recorded_as.is_some());
    let states = states(&made);
    assert!(matches!(states[0], WitnessState::Cosigned(_)));
    assert_eq!(states[1], WitnessState::Unreachable("no route".into()));
    assert_eq!(states[1].to_string(), "no route");
    // Both away: entries are kept, no head is signed, and it is told.
    ledger.close().await.unwrap();
    let ledger = open(&town.path("home")).await.unwrap();
    town.net.away(W1);
    grow(&ledger, 2).await;
    let refused = round(&ledger, &town.transport()).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotConfirmed);
    assert!(refused.message().starts_with("no witness could say"), "{refused}");
    assert!(refused.message().contains("one: no route; two: no route"), "{refused}");
    assert_eq!(ledger.release_head().await.unwrap_err().code(), Code::NotConfirmed);
    // One is back, and is no quorum.
    town.net.serve(W2, &serving(12, &town.log, &town.path("w2")));
    let refused = round(&ledger, &town.transport()).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotConfirmed);
    assert!(refused.message().starts_with("too few witnesses could say"), "{refused}");
    assert!(refused.message().ends_with("(one: no route)"), "{refused}");
    assert!(!ledger.is_confirmed());
    assert_eq!(ledger.release_head().await.unwrap_err().code(), Code::NotConfirmed);
    town.net.serve(W1, &serving(11, &town.log, &town.path("w1")));
    confirm(&ledger, &town.transport()).await.unwrap();
    assert!(ledger.is_confirmed());
    let made = round(&ledger, &town.transport()).await.unwrap();
    assert!(made.is_quorum, "{made:?}");
    ledger.close().await.unwrap();
}

/// Two of two: what one of them alone had cosigned is not contradicted while that one is away.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_one_of_two_had_seen_is_not_contradicted_while_it_is_away() {
    let (town, ledger) = Town::new(2).await;
    round(&ledger, &town.transport()).await.unwrap();
    ledger.close().await.unwrap();
    copy_folder(&town.path("home"), &town.path("snapshot"));
    let ledger = open(&town.path("home")).await.unwrap();
    confirm(&ledger, &town.transport()).await.unwrap();
    grow(&ledger, 7).await;
    town.net.away(W2);
    let seen = round(&ledger, &town.transport()).await.unwrap();
    assert!(!seen.is_quorum && matches!(states(&seen)[0], WitnessState::Cosigned(_)), "{seen:?}");
    ledger.close().await.unwrap();
    std::fs::remove_dir_all(town.path("home")).unwrap();
    copy_folder(&town.path("snapshot"), &town.path("home"));
    town.net.away(W1);
    town.net.serve(W2, &serving(12, &town.log, &town.path("w2")));
    let ledger = open(&town.path("home")).await.unwrap();
    let signed = ledger.last_signed_head().unwrap();
    grow(&ledger, 20).await;
    assert!(ledger.size() > seen.head.size, "it could sign a head of that size");
    let posts = || town.net.asked.lock().unwrap().iter().filter(|line| line.starts_with("POST")).count();
    let before = posts();
    assert_eq!(round(&ledger, &town.transport()).await.unwrap_err().code(), Code::NotConfirmed);
    assert_eq!(ledger.release_head().await.unwrap_err().code(), Code::NotConfirmed);
    assert_eq!((posts(), ledger.last_signed_head().unwrap()), (before, signed), "nothing was signed or shown");
    town.net.serve(W1, &serving(11, &town.log, &town.path("w1")));
    assert_eq!(round(&ledger, &town.transport()).await.unwrap_err().code(), Code::LogFork);
}

/// Whole folders put back, local anchors among them: only who is outside knows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_put_back_is_caught_once_a_witness_is_there_again() {
    let (town, ledger) = Town::new(1).await;
    round(&ledger, &town.transport()).await.unwrap();
    ledger.close().await.unwrap();
    copy_folder(&town.path("home"), &town.path("snapshot"));
    let ledger = open(&town.path("home")).await.unwrap();
    grow(&ledger, 7).await;
    round(&ledger, &town.transport()).await.unwrap();
    ledger.close().await.unwrap();
    std::fs::remove_dir_all(town.path("home")).unwrap();
    copy_folder(&town.path("snapshot"), &town.path("home"));
    // The witnesses are away first: it goes on unsigned, and nothing it says can be held against it.
    town.net.away(W1);
    town.net.away(W2);
    let ledger = open(&town.path("home")).await.unwrap();
    let signed = ledger.last_signed_head().unwrap();
    grow(&ledger, 20).await;
    assert_eq!(round(&ledger, &town.transport()).await.unwrap_err().code(), Code::NotConfirmed);
    ledger.close().await.unwrap();
    let ledger = open(&town.path("home")).await.unwrap();
    assert_eq!(ledger.last_signed_head().unwrap(), signed, "no head was signed meanwhile");
    town.net.serve(W1, &serving(11, &town.log, &town.path("w1")));
    // More entries by now than the witness has: another history, not a shorter one.
    assert!(ledger.size() > signed.checkpoint.size + 20);
    assert_eq!(round(&ledger, &town.transport()).await.unwrap_err().code(), Code::LogFork);
    assert_eq!(ledger.note_log_read(&ann()).await.unwrap_err().code(), Code::LogFork);
    drop(ledger);
    assert_eq!(open(&town.path("home")).await.map(|_| ()).unwrap_err().code(), Code::LogFork);
}

/// Nor does the head file that goes with the first group of a term: what an earlier term left unsigned may be another history.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_put_back_signs_nothing_new_however_often_it_is_started() {
    let (town, ledger) = Town::new(1).await;
    round(&ledger, &town.transport()).await.unwrap();
    ledger.close().await.unwrap();
    copy_folder(&town.path("home"), &town.path("snapshot"));
    let ledger = open(&town.path("home")).await.unwrap();
    grow(&ledger, 40).await;
    let newest = round(&ledger, &town.transport()).await.unwrap().head;
    ledger.close().await.unwrap();
    std::fs::remove_dir_all(town.path("home")).unwrap();
    copy_folder(&town.path("snapshot"), &town.path("home"));
    town.net.away(W1);
    town.net.away(W2);
    let mut known = None;
    for turn in 0..4 {
        let ledger = open(&town.path("home")).await.unwrap();
        grow(&ledger, 4).await;
        let signed = ledger.last_signed_head().unwrap();
        assert!(signed.checkpoint.size < newest.size, "{} {}", signed.checkpoint.size, newest.size);
        assert_eq!(*known.get_or_insert_with(|| signed.clone()), signed, "start {turn}");
        // In order, and as a crash leaves it.
        if turn % 2 == 0 { ledger.close().await.unwrap() } else { drop(ledger) }
    }
    town.net.serve(W1, &serving(11, &town.log, &town.path("w1")));
    let ledger = open(&town.path("home")).await.unwrap();
    assert_eq!(round(&ledger, &town.transport()).await.unwrap_err().code(), Code::LogRollback);
}

/// Of two witnesses of whom one is a quorum, the silent one may hold what the other never saw.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_word_of_one_witness_is_too_little_while_another_could_be_believed() {
    let (town, ledger) = Town::new(1).await;
    round(&ledger, &town.transport()).await.unwrap();
    ledger.close().await.unwrap();
    copy_folder(&town.path("home"), &town.path("snapshot"));
    let ledger = open(&town.path("home")).await.unwrap();
    grow(&ledger, 9).await;
    town.net.away(W2);
    assert_eq!(round(&ledger, &town.transport()).await.unwrap_err().code(), Code::NotConfirmed);
    town.net.serve(W2, &serving(12, &town.log, &town.path("w2")));
    confirm(&ledger, &town.transport()).await.unwrap();
    // Confirmed once, it needs nobody to answer.
    town.net.away(W2);
    let made = round(&ledger, &town.transport()).await.unwrap();
    assert!(made.is_quorum && states(&made)[1] == WitnessState::Unreachable("no route".into()), "{made:?}");
    ledger.close().await.unwrap();
    std::fs::remove_dir_all(town.path("home")).unwrap();
    copy_folder(&town.path("snapshot"), &town.path("home"));
    town.net.serve(W2, &serving(12, &town.log, &town.path("w2")));
    town.net.away(W1);
    let ledger = open(&town.path("home")).await.unwrap();
    let refused = confirm(&ledger, &town.transport()).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotConfirmed);
    assert!(
        refused.message().contains("too few witnesses") && refused.message().contains("one: no route"),
        "{refused}"
    );
    assert_eq!(ledger.release_head().await.unwrap_err().code(), Code::NotConfirmed);
    // Nor does a tree that stands on this machine: it may be as old as the ledger.
    let site = town.path("site");
    assert_eq!(publish(&ledger, &ann(), &site, false, &RealFiles).await.unwrap_err().code(), Code::NotConfirmed);
    std::fs::create_dir_all(&site).unwrap();
    std::fs::write(site.join("checkpoint"), ledger.newest_anchor().unwrap().unwrap().note).unwrap();
    assert_eq!(publish(&ledger, &ann(), &site, false, &RealFiles).await.unwrap_err().code(), Code::NotConfirmed);
    assert!(!ledger.is_confirmed());
    town.net.serve(W1, &serving(11, &town.log, &town.path("w1")));
    assert_eq!(confirm(&ledger, &town.transport()).await.unwrap_err().code(), Code::LogRollback);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_copy_is_called_rolled_back_before_it_signs_anything() {
    let (town, ledger) = Town::new(1).await;
    round(&ledger, &town.transport()).await.unwrap();
    ledger.close().await.unwrap();
    copy_folder(&town.path("home"), &town.path("snapshot"));
    let ledger = open(&town.path("home")).await.unwrap();
    grow(&ledger, 9).await;
    let newest = round(&ledger, &town.transport()).await.unwrap().head;
    ledger.close().await.unwrap();
    let ledger = open(&town.path("snapshot")).await.unwrap();
    assert_eq!(confirm(&ledger, &town.transport()).await.unwrap_err().code(), Code::LogRollback);
    drop(ledger);
    assert_eq!(open(&town.path("snapshot")).await.map(|_| ()).unwrap_err().code(), Code::LogRollback);
    // Nobody was asked to cosign anything for it.
    let posts = town.net.asked.lock().unwrap().iter().filter(|line| line.starts_with("POST")).count();
    assert_eq!(posts, 4, "two rounds of two witnesses");
    let w1 = serving_again(&town, 11, "w1");
    let held = w1.answer("GET", &monitor_path(town.log.name()), b"");
    assert_eq!(Checkpoint::from_note(held.as_text().unwrap(), &town.log).unwrap(), newest);
}

fn serving_again(town: &Town, byte: u8, folder: &str) -> Arc<WitnessServer> {
    town.net.away(if folder == "w1" { W1 } else { W2 });
    serving(byte, &town.log, &town.path(folder))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_that_nobody_signed_change_nothing() {
    let (town, ledger) = Town::new(1).await;
    round(&ledger, &town.transport()).await.unwrap();
    town.net.away(W2);
    // It says that it holds more, without a head.
    town.net
        .set(W1, |method, _, _| Ok(if method == "GET" { Reply::text(404, "") } else { Reply::text(409, "999999\n") }));
    let made = round(&ledger, &town.transport()).await.unwrap();
    assert_eq!(states(&made)[0], WitnessState::ClaimsMore(999_999));
    assert_eq!((made.recorded_as, made.is_quorum), (None, false));
    // A size that is no number; one again and again; words instead of signatures; the signature of another; of another head.
    let foreign = signer(11);
    let other = key(11).cosign("other\n1\n\n", 5, &foreign).unwrap().to_line();
    let stranger = key(13).cosign(made_text(&made), 5, &signer(13)).unwrap().to_line();
    for (body, status, wanted) in [
        ("many\n".to_owned(), 409, WitnessState::Refused(409, "many\\n".into())),
        ("1\n".to_owned(), 409, WitnessState::Refused(409, "again and again".into())),
        ("no".to_owned(), 200, WitnessState::Unreachable("its answer is no list of signatures".into())),
        (stranger, 200, WitnessState::Unreachable("its answer holds no signature of its key".into())),
        (other, 200, WitnessState::Unreachable("its cosignature does not hold".into())),
        ("\u{1b}[2J".to_owned(), 403, WitnessState::Refused(403, "\\x1b[2J".into())),
    ] {
        let said = body.clone();
        town.net.set(W1, move |method, _, _| {
            Ok(if method == "GET" { Reply::text(404, "") } else { Reply::text(status, said.clone()) })
        });
        let made = round(&ledger, &town.transport()).await.unwrap();
        assert_eq!((states(&made)[0].clone(), made.recorded_as), (wanted, None), "{body}");
    }
    // A head that this log did not sign confirms nothing.
    let forged = SignedNote::sign(
        &format!("{}\n9\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", town.log.name()),
        town.log.name(),
        &signer(9),
    )
    .unwrap();
    town.net.set(W1, move |_, _, _| Ok(Reply::text(200, forged.clone())));
    ledger.close().await.unwrap();
    let ledger = open(&town.path("home")).await.unwrap();
    let refused = round(&ledger, &town.transport()).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotConfirmed);
    assert!(refused.message().contains("a head that this log did not sign"), "{refused}");
    town.net.set(W1, |_, _, _| Ok(Reply::text(500, "")));
    assert_eq!(round(&ledger, &town.transport()).await.unwrap_err().code(), Code::NotConfirmed);
    ledger.close().await.unwrap();
}

fn made_text(round: &immutape::anchor::Round) -> &'static str {
    SignedNote::parse(&round.note).unwrap().text().to_owned().leak()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_witness_that_forgets_is_named() {
    let (town, ledger) = Town::new(1).await;
    round(&ledger, &town.transport()).await.unwrap();
    town.net.serve(W1, &serving(11, &town.log, &town.path("w1-anew")));
    let made = round(&ledger, &town.transport()).await.unwrap();
    assert!(matches!(states(&made)[..], [WitnessState::Forgot(_), WitnessState::Cosigned(_)]), "{made:?}");
    ledger.close().await.unwrap();
    // Nor does it keep two of two from starting: it has answered, and can be asked again.
    let (town, ledger) = Town::new(2).await;
    round(&ledger, &town.transport()).await.unwrap();
    ledger.close().await.unwrap();
    town.net.serve(W1, &serving(11, &town.log, &town.path("w1-anew")));
    let ledger = open(&town.path("home")).await.unwrap();
    assert!(!ledger.is_confirmed());
    let made = round(&ledger, &town.transport()).await.unwrap();
    assert!(matches!(states(&made)[..], [WitnessState::Forgot(_), WitnessState::Cosigned(_)]), "{made:?}");
    assert!(made.is_quorum);
    ledger.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_policy_or_an_address_nobody_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = create(folder.path()).await;
    let net: Arc<dyn Transport> = Arc::new(Net::default());
    assert_eq!(round(&ledger, &net).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(ledger.keep_anchor(&ledger.last_signed_head().unwrap().note).await.unwrap_err().code(), Code::NotFound);
    let config = Places::beneath(folder.path()).config_of(&ledger.id()).unwrap();
    ledger.close().await.unwrap();
    let policy = format!("witness one {}\nquorum one\n", key(11).to_text());
    std::fs::write(config.join(WITNESS_POLICY_FILE), policy).unwrap();
    let ledger = open(folder.path()).await.unwrap();
    let refused = round(&ledger, &net).await.unwrap_err();
    assert!(refused.code() == Code::NotConfirmed && refused.message().contains("no address"), "{refused}");
    ledger.close().await.unwrap();
}

/// Everything that C2SP tlog-witness says an answer must be.
#[test]
fn a_witness_answers_by_the_specification() {
    let folder = tempfile::tempdir().unwrap();
    let log = NoteKey::new("log.example/a", signer(1).public_key()).unwrap();
    let witness = serve(2, &log, folder.path()).unwrap();
    let leaves = |count: u8, salt: u8| (0..count).map(|n| leaf_hash(&[n, salt])).collect::<Vec<_>>();
    let note = |origin: &str, leaves: &[_], by: u8| {
        let head = Checkpoint { origin: origin.into(), size: leaves.len() as u64, root: root_of(leaves) };
        SignedNote::sign(&head.text(), origin, &signer(by)).unwrap()
    };
    let ask = |old_size: u64, path: Vec<[u8; 32]>, note: String| {
        let reply =
            witness.answer("POST", "/add-checkpoint", WitnessRequest { old_size, path, note }.to_text().as_bytes());
        (reply.status, reply.content_type.clone().unwrap(), reply.as_text().unwrap().to_owned())
    };
    let path = |old: u64, leaves: &[immutape::codec::digest::LeafHash]| {
        let mut subtree =
            |first: u64, count: u64| Some(*root_of(&leaves[first as usize..(first + count) as usize]).as_bytes());
        immutape::log::consistency_path(old, leaves.len() as u64, &mut subtree).unwrap()
    };
    let (three, nine) = (leaves(3, 0), leaves(9, 0));
    let status = |answer: (u16, String, String)| answer.0;
    assert_eq!(status(ask(0, vec![], note("log.example/b", &three, 1))), 404);
    assert_eq!(status(ask(0, vec![], note("log.example/a", &three, 9))), 403);
    assert_eq!(status(ask(4, vec![], note("log.example/a", &three, 1))), 400);
    assert_eq!(status(ask(0, vec![[0; 32]], note("log.example/a", &three, 1))), 422);
    assert_eq!(
        ask(2, path(2, &three), note("log.example/a", &three, 1)),
        (409, "text/x.tlog.size".into(), "0\n".into())
    );
    assert_eq!(witness.answer("GET", &monitor_path("log.example/a"), b"").status, 404);
    // Size 0: the root of nothing, or refused.
    let wrong = Checkpoint { origin: "log.example/a".into(), size: 0, root: root_of(&three) };
    let wrong = SignedNote::sign(&wrong.text(), "log.example/a", &signer(1)).unwrap();
    assert_eq!(status(ask(0, vec![], wrong)), 422);
    let (code, _, lines) = ask(0, vec![], note("log.example/a", &three, 1));
    assert_eq!(code, 200);
    let cosigned = SignedNote::parse(&format!("{}{lines}", note("log.example/a", &three, 1))).unwrap();
    assert!(key_named("witness.example/2", 2).time_on(&cosigned).unwrap().is_some());
    // The same again, with the old size that it has now.
    assert_eq!(status(ask(3, vec![], note("log.example/a", &three, 1))), 200);
    assert_eq!(status(ask(3, vec![], note("log.example/a", &leaves(3, 1), 1))), 422);
    assert_eq!(ask(0, vec![], note("log.example/a", &nine, 1)).2, "3\n");
    assert_eq!(status(ask(3, path(3, &leaves(9, 1)), note("log.example/a", &leaves(9, 1), 1))), 422);
    let mut surplus = path(3, &nine);
    surplus.push([0; 32]);
    assert_eq!(status(ask(3, surplus, note("log.example/a", &nine, 1))), 422);
    assert_eq!(status(ask(3, path(3, &nine)[1..].to_vec(), note("log.example/a", &nine, 1))), 422);
    assert_eq!(status(ask(3, path(3, &nine), note("log.example/a", &nine, 1))), 200);
    let shown = witness.answer("GET", &monitor_path("log.example/a"), b"");
    assert_eq!(Checkpoint::from_note(shown.as_text().unwrap(), &log).unwrap().size, 9);
    for (method, path, body, status) in [
        ("POST", "/add-checkpoint", &b"old 1\n"[..], 400),
        ("POST", "/add-checkpoint", &[0xff][..], 400),
        ("PUT", "/add-checkpoint", &b""[..], 405),
        ("GET", "/../../etc/passwd", &b""[..], 404),
        ("GET", "/", &b""[..], 404),
    ] {
        assert_eq!(witness.answer(method, path, body).status, status, "{method} {path}");
    }
    // A second process on the same folder, and what it finds when the first is gone.
    assert_eq!(serve(2, &log, folder.path()).map(|_| ()).unwrap_err().code(), Code::Locked);
    drop(witness);
    let again = serve(2, &log, folder.path()).unwrap();
    assert_eq!(again.answer("GET", &monitor_path("log.example/a"), b""), shown);
    // What it holds was changed on the disk: nothing is shown or cosigned.
    let file = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|e| e.unwrap().path())
        .find(|p| p.extension().is_some_and(|e| e == "note"));
    let file = file.unwrap();
    let good = std::fs::read_to_string(&file).unwrap();
    let bare = SignedNote::parse(&good).unwrap().with_only(|s| log.is_of(s));
    let larger = note("log.example/a", &leaves(12, 0), 1);
    for (n, bad) in [good.replacen("\n9\n", "\n8\n", 1), bare, larger, String::new()].into_iter().enumerate() {
        std::fs::write(&file, bad).unwrap();
        assert_eq!(again.answer("GET", &monitor_path("log.example/a"), b"").status, 500, "{n}");
        let body = WitnessRequest { old_size: 9, path: vec![], note: note("log.example/a", &nine, 1) }.to_text();
        assert_eq!(again.answer("POST", "/add-checkpoint", body.as_bytes()).status, 500, "{n}");
    }
    let none = Policy::parse("quorum none").unwrap();
    let open = |logs: &Policy, name: &str, by: u8| {
        let clock = Arc::new(SystemClock::new([1; 16]));
        WitnessServer::open(name, Box::new(signer(by)), logs, &folder.path().join("other"), Arc::new(RealFiles), clock)
    };
    assert_eq!(open(&none, "w", 2).map(|_| ()).unwrap_err().code(), Code::EmptyInput);
    let logs = Policy::parse(&format!("log {}\nquorum none\n", log.to_text())).unwrap();
    assert_eq!(open(&logs, "w", 1).map(|_| ()).unwrap_err().code(), Code::Usage);
    assert_eq!(open(&logs, "w w", 2).map(|_| ()).unwrap_err().code(), Code::Usage);
}

fn key_named(name: &str, byte: u8) -> CosignerKey {
    CosignerKey::new(name, signer(byte).public_key()).unwrap()
}

/// The tree in a folder, rebuilt from its own files as a stranger would.
fn tree_in(folder: &Path, log: &NoteKey, with_entries: bool) -> Checkpoint {
    let head = Checkpoint::from_note(&std::fs::read_to_string(folder.join("checkpoint")).unwrap(), log).unwrap();
    let mut leaves = Vec::new();
    for tile in tiles_between(0, head.size).filter(|tile| tile.level == 0) {
        let hashes = std::fs::read(folder.join(tile.path())).unwrap();
        assert_eq!(hashes.len(), tile.width as usize * 32, "{}", tile.path());
        let (hashes, _) = hashes.as_chunks::<32>();
        let mut own: Vec<_> = hashes.iter().map(|hash| immutape::codec::digest::LeafHash::from_bytes(*hash)).collect();
        if with_entries {
            let bundle = std::fs::read(folder.join(tile.bundle_path())).unwrap();
            let (mut rest, mut count) = (bundle.as_slice(), 0);
            while let Some((length, more)) = rest.split_first_chunk::<2>() {
                let (entry, more) = more.split_at(usize::from(u16::from_be_bytes(*length)));
                assert_eq!(leaf_hash(entry), own[count]);
                (rest, count) = (more, count + 1);
            }
            assert_eq!(count, own.len());
        }
        leaves.append(&mut own);
    }
    assert_eq!(root_of(&leaves), head.root);
    head
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tree_is_published_bit_by_bit() {
    let folder = tempfile::tempdir().unwrap();
    let (home, public) = (folder.path().join("home"), folder.path().join("public"));
    let ledger = create(&home).await;
    let log = ledger.checkpoint_key().clone();
    let mut before = 0;
    for entries in [0, 5, 250, 300] {
        grow(&ledger, entries).await;
        let made = publish(&ledger, &ann(), &public, false, &RealFiles).await.unwrap();
        assert_eq!((made.before, tree_in(&public, &log, false)), (before, made.head.clone()));
        // The first group of a term begins with entries about its start.
        assert!(made.recorded_as >= made.head.size, "the head does not name the entry that tells of it");
        before = made.head.size;
    }
    assert!(!public.join("tile/entries").exists(), "no public half without being asked for");
    let made = publish(&ledger, &ann(), &public, true, &RealFiles).await.unwrap();
    assert_eq!(tree_in(&public, &log, true), made.head);
    // A tree that is ahead of an older copy, one of another log, and a checkpoint that is none: nothing is written.
    let newest = std::fs::read(public.join("checkpoint")).unwrap();
    std::fs::write(public.join("checkpoint"), "no checkpoint\n").unwrap();
    let whole = every_byte(&public, "");
    let refused = publish(&ledger, &ann(), &public, false, &RealFiles).await.unwrap_err();
    assert_eq!((refused.code(), every_byte(&public, "") == whole), (Code::ProofInvalid, true));
    let other = create(&folder.path().join("other")).await;
    std::fs::write(public.join("checkpoint"), &newest).unwrap();
    assert_eq!(publish(&other, &ann(), &public, false, &RealFiles).await.unwrap_err().code(), Code::ProofInvalid);
    other.close().await.unwrap();
    ledger.close().await.unwrap();
    let ledger = open(&home).await.unwrap();
    copy_folder(&home, &folder.path().join("older"));
    grow(&ledger, 30).await;
    publish(&ledger, &ann(), &public, true, &RealFiles).await.unwrap();
    ledger.close().await.unwrap();
    let older = open(&folder.path().join("older")).await.unwrap();
    let whole = every_byte(&public, "");
    let refused = publish(&older, &ann(), &public, true, &RealFiles).await.unwrap_err();
    assert_eq!((refused.code(), every_byte(&public, "") == whole), (Code::LogRollback, true));
}
