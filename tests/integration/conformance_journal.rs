//! The journal's clauses hold on every engine, and each is noticed when an engine breaks it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;

use immutape::codec::digest::{GroupHash, RootHash};
use immutape::codec::extent::{Group, GroupHeader};
use immutape::error::{Code, Error, Result};
use immutape::store::conformance::journal::{CLAUSES, FAULTS, FaultyStorage, Storage};
use immutape::store::conformance::run;
use immutape::store::embedded::journal::EmbeddedJournal;
use immutape::store::files::{Files, RealFiles};
use immutape::store::memory::journal::MemoryJournal;
use immutape::store::{Journal, Place, Position, Tail};

use crate::support::journals;
use crate::support::sim_files::{Effect, SimFiles, Survive};

/// The journal in memory.
struct Memory(MemoryJournal);

impl Storage for Memory {
    fn open(&self) -> Box<dyn Journal> {
        Box::new(self.0.another())
    }
}

impl FaultyStorage for Memory {
    fn fail_next_sync(&self) {
        self.0.fail_next_append();
    }

    fn break_lock(&self) {
        self.0.break_lock();
    }

    fn fill(&self, full: bool) {
        self.0.set_room(full.then_some(1 << 20));
    }

    fn damage(&self, position: Position) {
        assert!(self.0.damage(position));
    }

    fn cut_power(&self) {}
}

/// The journal in files, over the faulting file system.
#[derive(Default)]
struct Simulated(Mutex<SimFiles>);

impl Simulated {
    fn sim(&self) -> SimFiles {
        self.0.lock().unwrap().clone()
    }
}

impl Storage for Simulated {
    fn open(&self) -> Box<dyn Journal> {
        Box::new(journals::open(&self.sim()))
    }
}

impl FaultyStorage for Simulated {
    /// An append is a write and a sync.
    fn fail_next_sync(&self) {
        let sim = self.sim();
        sim.fail_at(sim.next_operation() + 1, ErrorKind::TimedOut, Effect::Without);
    }

    fn break_lock(&self) {
        self.sim().remove_file(Path::new("s/lock")).unwrap();
    }

    fn fill(&self, full: bool) {
        let sim = self.sim();
        sim.set_room(full.then(|| sim.used_bytes()));
    }

    fn damage(&self, position: Position) {
        let at = usize::try_from(position.offset).unwrap() + 300;
        self.sim().edit(journals::segment(position.segment), |file| file[at] ^= 1);
    }

    fn cut_power(&self) {
        let image = self.sim().crash_image(Survive::Nothing);
        *self.0.lock().unwrap() = image;
    }
}

/// The journal in files of the machine.
struct Real(PathBuf);

impl Storage for Real {
    fn open(&self) -> Box<dyn Journal> {
        let at = |name: &str| self.0.join(name);
        let origin = immutape::codec::Digest::from_bytes([7; 32]);
        Box::new(EmbeddedJournal::open(Arc::new(RealFiles), at("l/journal"), at("l/quarantine"), at("s/lock"), origin))
    }
}

#[test]
fn memory_keeps_every_clause() {
    assert_eq!(run(CLAUSES, &|| Box::new(Memory(MemoryJournal::new()))), vec![]);
    assert_eq!(run(FAULTS, &|| Box::new(Memory(MemoryJournal::new()))), vec![]);
}

#[test]
fn embedded_keeps_every_clause_whatever_storage_does() {
    assert_eq!(run(CLAUSES, &|| Box::new(Simulated::default())), vec![]);
    assert_eq!(run(FAULTS, &|| Box::new(Simulated::default())), vec![]);
}

#[test]
fn embedded_keeps_every_clause_on_this_machine() {
    let (folder, count) = (tempfile::tempdir().unwrap(), AtomicU64::new(0));
    let fresh = || -> Box<dyn Storage> {
        Box::new(Real(folder.path().join(count.fetch_add(1, Ordering::Relaxed).to_string())))
    };
    assert_eq!(run(CLAUSES, &fresh), vec![]);
}

/// The journal in memory, broken in one clause.
struct Broken {
    root: MemoryJournal,
    fault: &'static str,
    notes: Arc<Mutex<Notes>>,
}

/// What all handles of a broken journal know.
#[derive(Default)]
struct Notes {
    /// Groups from here on are not given out.
    hidden: Option<Position>,
    last: Option<Position>,
    doubt: bool,
    was_full: bool,
}

impl Broken {
    fn new(fault: &'static str) -> Self {
        Self { root: MemoryJournal::new(), fault, notes: Arc::default() }
    }
}

impl Storage for Broken {
    fn open(&self) -> Box<dyn Journal> {
        Box::new(BrokenHandle {
            inner: self.root.another(),
            fault: self.fault,
            notes: Arc::clone(&self.notes),
            made_by: std::thread::current().id(),
            own: Mutex::default(),
        })
    }
}

impl FaultyStorage for Broken {
    fn fail_next_sync(&self) {
        self.root.fail_next_append();
    }

    fn break_lock(&self) {
        self.root.break_lock();
    }

    fn fill(&self, full: bool) {
        self.root.set_room(full.then_some(1 << 20));
    }

    fn damage(&self, position: Position) {
        assert!(self.root.damage(position));
    }

    fn cut_power(&self) {
        if self.fault == "append: durable on return" {
            let mut notes = self.notes.lock().unwrap();
            notes.hidden = notes.last;
        }
    }
}

struct BrokenHandle {
    inner: MemoryJournal,
    fault: &'static str,
    notes: Arc<Mutex<Notes>>,
    made_by: ThreadId,
    own: Mutex<Own>,
}

/// What one handle knows.
#[derive(Default)]
struct Own {
    tail: Option<Tail>,
    place: Option<Place>,
    places_in_a_row: u32,
    next_index: u64,
    appended: u32,
    has_begun: bool,
    has_ended: bool,
    repeated: bool,
}

fn on_purpose(code: Code) -> Error {
    Error::new(code, "broken on purpose")
}

/// Success where the engine refuses with `code`.
fn careless<T>(result: Result<T>, code: Code, instead: impl FnOnce() -> T) -> Result<T> {
    match result {
        Err(e) if e.code() == code => Ok(instead()),
        other => other,
    }
}

const ANY: Place = Place { term: 1, segment: 1, offset: 512, previous_group: GroupHash::from_bytes([0; 32]) };

impl BrokenHandle {
    fn is(&self, fault: &str) -> bool {
        self.fault == fault
    }

    fn some_header(&self) -> GroupHeader {
        *Group::parse(&immutape::store::conformance::journal::material::Draft::small(0).seal(&ANY)).unwrap().header()
    }

    /// Is a refused group wrong in the one way that this engine does not look for?
    fn overlooks(&self, extent: &[u8]) -> bool {
        let Ok(group) = Group::parse(extent) else { return self.is("append: a group that is not whole is refused") };
        let group = group.header();
        let own = self.own.lock().unwrap();
        let place = own.place.unwrap_or(ANY);
        match self.fault {
            "append: a group of another term is refused" => group.term != place.term,
            "append: a group of another place is refused" => {
                (group.segment, group.offset) != (place.segment, place.offset)
            }
            "append: a group after another one is refused" => group.previous_group != place.previous_group,
            "append: a gap in the entries is refused" => group.first_index != own.next_index,
            _ => false,
        }
    }
}

impl Drop for BrokenHandle {
    fn drop(&mut self) {
        let mut notes = self.notes.lock().unwrap();
        if self.is("append: outlives the handle") && self.own.lock().unwrap().appended == 1 {
            notes.hidden = notes.last;
        }
    }
}

impl Journal for BrokenHandle {
    fn acquire(&self) -> Result<Tail> {
        let mut own = self.own.lock().unwrap();
        if self.is("acquire: again on the same handle is a new term")
            && let Some(tail) = &own.tail
        {
            return Ok(tail.clone());
        }
        let mut result = self.inner.acquire();
        if self.is("acquire: one holder at a time") && result.as_ref().is_err_and(|e| e.code() == Code::Locked) {
            self.inner.break_lock();
            result = self.inner.acquire();
        }
        let mut tail = result?;
        own.next_index = tail.last.map_or(0, |last| last.size_after());
        match self.fault {
            "acquire: nothing is last in an empty journal" => {
                tail.last.get_or_insert_with(|| self.some_header());
            }
            "acquire: gives the last group" => {
                tail.last.iter_mut().for_each(|last| last.root = RootHash::from_bytes([0; 32]));
            }
            "acquire: terms grow" if own.tail.is_none() => tail.term = 1,
            "append: the closing flag lasts" => tail.last.iter_mut().for_each(|last| last.flags = 0),
            "acquire: decides what was in doubt" if self.notes.lock().unwrap().doubt => tail.last = None,
            _ => {}
        }
        own.tail = Some(tail.clone());
        Ok(tail)
    }

    fn survey(&self) -> Result<Tail> {
        if self.is("survey: tells the end beside a writer and changes nothing") {
            self.inner.break_lock();
        }
        self.inner.survey()
    }

    fn place(&self, extent_bytes: u64) -> Result<Place> {
        let mut result = self.inner.place(extent_bytes);
        let full = result.as_ref().is_err_and(|e| e.code() == Code::StoreFull);
        let was_full = {
            let mut notes = self.notes.lock().unwrap();
            notes.was_full |= full;
            notes.was_full
        };
        result = match self.fault {
            "place: needs the turn" => careless(result, Code::ReadOnly, || ANY),
            "place: refuses what no group has" => careless(result, Code::Limit, || ANY),
            "place: a writer without the lock is fenced" => careless(result, Code::Fenced, || ANY),
            "place: a full disk is said and loses nothing" if full => Err(on_purpose(Code::Io)),
            "place: goes on when there is room again" if was_full => Err(on_purpose(Code::StoreFull)),
            _ => result,
        };
        let mut place = result?;
        let mut own = self.own.lock().unwrap();
        own.places_in_a_row += 1;
        if self.is("place: may be repeated and shows nothing") && own.places_in_a_row > 5 {
            place.term += 1;
        }
        if self.is("place: names term and group before") && own.next_index == 35 {
            place.term += 1;
        }
        own.place = Some(place);
        Ok(place)
    }

    fn append(&self, extent: &[u8]) -> Result<()> {
        if self.is("append: the longest group fits") && extent.len() > 4 << 20 {
            return Err(on_purpose(Code::StoreFull));
        }
        let result = self.inner.append(extent);
        let result = match self.fault {
            "append: needs the turn" => careless(result, Code::ReadOnly, || ()),
            "append: a writer without the lock is fenced" => careless(result, Code::Fenced, || ()),
            _ if self.overlooks(extent) => careless(result, Code::Conflict, || ()),
            _ => result,
        };
        if let Ok(group) = Group::parse(extent)
            && result.is_ok()
        {
            let group = group.header();
            let mut own = self.own.lock().unwrap();
            (own.next_index, own.places_in_a_row) = (group.size_after(), 0);
            own.appended += 1;
            let mut notes = self.notes.lock().unwrap();
            notes.last = Some(Position { segment: group.segment, offset: group.offset });
            notes.hidden = None;
        }
        let in_doubt = result.as_ref().is_err_and(|e| e.code() == Code::InDoubt);
        self.notes.lock().unwrap().doubt |= in_doubt;
        if in_doubt && self.is("append: a failed sync leaves it in doubt") {
            return Err(on_purpose(Code::Io));
        }
        result
    }

    fn is_nearly_full(&self) -> bool {
        match self.fault {
            "is_nearly_full: not while there is room" => true,
            "is_nearly_full: said before the last room is used" => false,
            _ => self.inner.is_nearly_full(),
        }
    }

    fn look_for_room(&self) {
        if self.fault != "look_for_room: finds it when it is there" {
            self.inner.look_for_room();
        }
    }

    fn read(&self, position: Position) -> Result<Option<(Position, Vec<u8>, Position)>> {
        let is_first = position == Position { segment: 1, offset: 0 };
        let mut own = self.own.lock().unwrap();
        own.has_begun |= is_first;
        let mut result = self.inner.read(position);
        match self.fault {
            "read: needs no turn" if is_first && own.tail.is_none() && result.as_ref().is_ok_and(Option::is_none) => {
                return Err(on_purpose(Code::ReadOnly));
            }
            "read: goes on from any position it gave" if !own.has_begun => return Ok(None),
            "read: ends, and goes on when more comes" if own.has_ended => return Ok(None),
            "read: any number of readers while one writes" if std::thread::current().id() != self.made_by => {
                return Err(on_purpose(Code::LogDamaged));
            }
            "read: damage is named" => result = careless(result, Code::LogDamaged, || None),
            "append: after a failed sync the handle is broken for ever"
                if result.as_ref().is_err_and(|e| e.code() == Code::Broken) =>
            {
                result = self.inner.another().read(position);
            }
            _ => {}
        }
        let Some((at, mut extent, mut next)) = result? else {
            own.has_ended = true;
            return Ok(None);
        };
        if self.notes.lock().unwrap().hidden.is_some_and(|hidden| at >= hidden) {
            return Ok(None);
        }
        let count = Group::parse(&extent).unwrap().header().count;
        if self.is("append: the bytes come back") && count > 999 {
            // The code over the hash is the one field that the hash does not cover.
            extent[230] ^= 1;
        }
        if self.is("read: every group once and in order") && at.segment == 4 && !own.repeated {
            own.repeated = true;
            next = at;
        }
        Ok(Some((at, extent, next)))
    }

    fn replace(&self, from: u64, extents: &mut dyn Iterator<Item = Result<Vec<u8>>>) -> Result<Vec<PathBuf>> {
        if self.is("replace: makes damage good") {
            return Ok(Vec::new());
        }
        let result = self.inner.replace(from, extents);
        let ends_early = result.as_ref().is_err_and(|e| e.message().contains("end before"));
        let is_reading = self.own.lock().unwrap().tail.is_none();
        match self.fault {
            "replace: the same groups change nothing" => {
                let mut notes = self.notes.lock().unwrap();
                notes.hidden = notes.last;
                result
            }
            "replace: a broken chain changes nothing" if is_reading && !ends_early => {
                careless(result, Code::Conflict, Vec::new)
            }
            "replace: groups left out are not dropped" if ends_early => careless(result, Code::Conflict, Vec::new),
            "replace: not while a turn is taken" => careless(result, Code::Locked, Vec::new),
            _ => result,
        }
    }
}

#[test]
fn each_broken_clause_is_found() {
    for clause in CLAUSES {
        let found = run(CLAUSES, &|| Box::new(Broken::new(clause.name)));
        assert!(found.iter().any(|v| v.clause == clause.name), "{}: {found:#?}", clause.name);
        assert!(found.len() <= 5, "{} breaks nearly everything: {found:#?}", clause.name);
    }
    for clause in FAULTS {
        let found = run(FAULTS, &|| Box::new(Broken::new(clause.name)));
        assert!(found.iter().any(|v| v.clause == clause.name), "{}: {found:#?}", clause.name);
        assert!(found.len() <= 4, "{} breaks nearly everything: {found:#?}", clause.name);
    }
    assert_eq!(run(CLAUSES, &|| Box::new(Broken::new("none"))), vec![]);
    assert_eq!(run(FAULTS, &|| Box::new(Broken::new("none"))), vec![]);
}
