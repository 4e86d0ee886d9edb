//! Reading a tape without an entry: the very steps of the ledger's reader, made from public parts, with a
//! copy of the keys. The ledger itself has no such door.

use std::path::Path;

use immutape::catalog::Queries;
use immutape::codec::digest::{CustodyId, IdPrefix};
use immutape::keyring::{ConfigFolder, VaultKeys};
use immutape::ledger::{Checker, Places};
use immutape::log::{Body, Entry};
use immutape::seal::{Manifest, PublicKey, SealedHeader, Statement, open_chunk};
use immutape::store::{Hint, ObjectRef, Stores};
use immutape::tape::Frame;

use super::setup::World;

pub struct Bare {
    stores: Stores,
    vault: VaultKeys,
    recorder: PublicKey,
    origin: String,
}

impl Bare {
    /// Shares the stores of the ledger that `world` has open in `folder`.
    pub fn beside(world: &World, folder: &Path) -> Self {
        let stores = world.engine.stores();
        // A world of its own: opening stores for the checker must not replace the ledger's.
        let other = World::with(Some(std::sync::Arc::new(immutape::store::memory::rows::MemoryRows::new())));
        let places = Places::beneath(folder);
        let checker = Checker::open(&places, &other.env).unwrap();
        let genesis = checker.genesis();
        let (generation, _, file) = stores.vault.generation().unwrap().unwrap();
        let config = ConfigFolder::new(places.config_of(&checker.id()).unwrap());
        let root = config.read_root(&*world.env.files, generation).unwrap();
        Self {
            vault: VaultKeys::decode(&file, &genesis.origin, root).unwrap(),
            recorder: PublicKey::from_bytes(&genesis.keys[1]).unwrap(),
            origin: genesis.origin.clone(),
            stores,
        }
    }

    /// All frames of the tape with this id.
    pub fn read(&self, id: &str) -> Vec<Frame> {
        let queries = Queries::new(&*self.stores.rows);
        let found = queries.by_prefix(&IdPrefix::parse(id).unwrap(), 16).unwrap();
        let custody = found.last().unwrap().1;
        let facts = queries.subject(&custody).unwrap().unwrap().facts.unwrap();
        assert!(self.vault.custody_label(&facts.class_key).is_some());
        let record = self.stores.vault.get(&facts.epoch, &custody, facts.slot).unwrap();
        let key = self.vault.epoch(&facts.epoch).unwrap();
        let keys = key.unwrap_tape(&self.origin, &custody, &record.wrapped).unwrap().keys();
        let manifest = self.manifest(&queries, &custody);
        let get = |n: usize| {
            let object = manifest.objects[n];
            let hint = queries.hint(&custody, &facts, n).unwrap();
            self.stores.objects.get(&ObjectRef { digest: object.digest, bytes: object.bytes, hint }).unwrap()
        };
        let header = SealedHeader::open(&keys, &custody, &get(0)).unwrap();
        let mut frames = Vec::new();
        for (n, range) in header.chunks.iter().enumerate() {
            frames.extend(open_chunk(&keys, &custody, n as u64 + 1, &get(n + 1), range).unwrap());
        }
        frames
    }

    fn manifest(&self, queries: &Queries<'_>, custody: &CustodyId) -> Manifest {
        let row = queries.subject(custody).unwrap().unwrap();
        let stored = queries.entry(row.first_index).unwrap().unwrap();
        let entry = Entry::decode(&stored.public).unwrap();
        let Body::TapeSaved { statement, .. } = Body::decode(entry.kind, entry.body).unwrap() else {
            panic!("the first entry about a tape saves it")
        };
        let statement = Statement::decode(&statement).unwrap();
        statement.verify(&self.recorder).unwrap();
        let place = row.facts.unwrap().manifest;
        let hint = place.map_or_else(Hint::default, |m| m.hint);
        let object = ObjectRef { digest: statement.claims().manifest, bytes: place.map_or(0, |m| m.bytes), hint };
        let manifest = Manifest::decode(&self.stores.objects.get(&object).unwrap()).unwrap();
        assert_eq!(manifest.root.id(), statement.claims().tape);
        manifest
    }
}
