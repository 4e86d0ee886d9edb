//! A recorded server that ended ends again as it did, when it is played to a client.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use serde_json::{Value, json};

use super::world::World;

/// A server that answers, and at `die` says a last word and ends in the middle of it.
const SERVER: &str = r#"while read -r line; do
  id=${line#*\"id\":}; id=${id%%,*}
  case $line in
    *'"die"'*) echo '{"jsonrpc":"2.0","method":"notifications/message","params":{"data":"going"}}'; END ;;
    *'"id"'*) printf '{"jsonrpc":"2.0","id":%s,"result":{"n":%s}}\n' "$id" "$id" ;;
  esac
done"#;

/// A client of a server.
struct Client {
    server: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Client {
    fn of(mut command: Command) -> Self {
        let mut server = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (stdin, stdout) = (server.stdin.take().unwrap(), BufReader::new(server.stdout.take().unwrap()));
        Self { server, stdin, stdout }
    }

    fn ask(&mut self, id: u64, method: &str) {
        // What is gone takes no question; the next read shows it.
        let _may_be_gone = writeln!(self.stdin, r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}"}}"#);
    }

    fn hear(&mut self) -> Value {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line:?}"))
    }

    fn answer(&mut self, id: u64, method: &str) -> Value {
        self.ask(id, method);
        self.hear()
    }

    /// The server closes its output and ends; how.
    fn sees_the_end(mut self) -> ExitStatus {
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "");
        self.server.wait().unwrap()
    }

    /// The client leaves.
    fn leaves(self) -> ExitStatus {
        drop(self.stdin);
        let mut server = self.server;
        server.wait().unwrap()
    }
}

fn recorded(world: &World, end: &str, talk: impl FnOnce(Client) -> ExitStatus) -> (String, ExitStatus) {
    let mut command = world.command();
    command.args(["record", "--name", "s", "--", "sh", "-c", &SERVER.replace("END", end)]);
    let status = talk(Client::of(command));
    (newest(world), status)
}

fn newest(world: &World) -> String {
    let listed = world.run(["list", "--json"]).exits(0).documents();
    let tapes = listed.iter().filter(|d| d["type"] == "tape");
    let newest = tapes.max_by_key(|d| d["entry"].as_u64()).unwrap();
    newest["tape"].as_str().unwrap().to_owned()
}

fn replayed(world: &World, id: &str) -> Client {
    let mut command = world.command();
    command.args(["replay", id, "--as-server"]);
    Client::of(command)
}

/// The session as it was and as it is played: answers, a last word, the end.
fn whole(mut client: Client) -> ExitStatus {
    assert_eq!(client.answer(1, "one")["result"]["n"], 1);
    assert_eq!(client.answer(2, "two")["result"]["n"], 2);
    assert_eq!(client.answer(3, "die")["params"]["data"], "going");
    client.sees_the_end()
}

#[test]
fn a_server_that_exits_over_a_request_exits_again_with_its_code() {
    let world = World::new();
    for code in [7, 0] {
        let (id, first) = recorded(&world, &format!("exit {code}"), whole);
        assert_eq!(first.code(), Some(code));
        assert_eq!(whole(replayed(&world, &id)).code(), Some(code), "as a client saw it the first time");
        // Another order, and what is not on the tape: it lives until it has said all that it said.
        let mut client = replayed(&world, &id);
        let refused = client.answer(40, "never");
        assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!(40), &json!(-32000)));
        assert!(refused["error"]["message"].as_str().unwrap().contains("is not on the tape"), "{refused}");
        assert_eq!(client.answer(41, "two")["result"]["n"], 2);
        assert_eq!(client.answer(42, "two")["id"], 42, "asked more often than it was, while the server lived");
        assert_eq!(client.answer(43, "one")["id"], 43);
        client.ask(44, "die");
        assert_eq!(client.hear()["method"], "notifications/message");
        assert_eq!(client.sees_the_end().code(), Some(code));
    }
}

#[test]
fn a_server_that_ended_between_requests_is_gone_for_the_next() {
    let world = World::new();
    // It answers two questions and leaves by itself.
    let script = r#"for n in 1 2; do read -r line; echo "{\"jsonrpc\":\"2.0\",\"id\":$n,\"result\":{}}"; done; exit 9"#;
    let mut command = world.command();
    command.args(["record", "--", "sh", "-c", script]);
    let mut client = Client::of(command);
    for (id, method) in [(1, "one"), (2, "two")] {
        assert_eq!(client.answer(id, method)["id"], id);
    }
    assert_eq!(client.sees_the_end().code(), Some(9));
    let id = newest(&world);
    for (method, is_told) in [("one", false), ("other", true)] {
        let mut client = replayed(&world, &id);
        client.answer(5, "one");
        client.answer(6, "two");
        client.ask(7, method);
        if is_told {
            let refused = client.hear();
            let words = refused["error"]["message"].as_str().unwrap();
            assert!(words.contains("the recorded server had ended by then"), "{words}");
        }
        assert_eq!(client.sees_the_end().code(), Some(9), "{method}");
    }
    // Who leaves before the end is not told of it.
    let mut client = replayed(&world, &id);
    client.answer(5, "one");
    assert_eq!(client.leaves().code(), Some(0));
}

#[test]
fn a_signal_ends_it_again_and_a_recording_that_was_cut_off_says_so() {
    let world = World::new();
    let (id, first) = recorded(&world, "kill -9 $$", whole);
    assert_eq!(first.signal(), Some(9));
    assert_eq!(whole(replayed(&world, &id)).signal(), Some(9));
    // The recorder is killed while a request is open: how the server ended is not on the tape.
    let mut command = world.command();
    let script = r#"read -r line; echo '{"jsonrpc":"2.0","id":1,"result":{}}'; read -r line; echo '{"method":"working"}'; sleep 5"#;
    command.args(["record", "--durability", "each", "--", "sh", "-c", script]);
    let mut client = Client::of(command);
    client.answer(1, "one");
    assert_eq!(client.answer(2, "slow")["method"], "working");
    client.server.kill().unwrap();
    client.server.wait().unwrap();
    world.run(["record", "--recover"]).exits(0);
    let mut client = replayed(&world, &newest(&world));
    assert_eq!(client.answer(8, "slow")["method"], "working");
    let told = client.hear();
    assert_eq!(told["id"], 8);
    assert!(told["error"]["message"].as_str().unwrap().contains("the tape ends before the answer"), "{told}");
    assert_eq!(client.answer(9, "one")["id"], 9, "and it goes on");
    assert_eq!(client.leaves().code(), Some(0));
}
