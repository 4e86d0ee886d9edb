//! People with roles: founders, enrolment, what the roles permit, what others have to sign, and that all of it is read from the log alone.

use std::path::Path;
use std::sync::Arc;

use immutape::governance::{CASE_NAMESPACE, Case, Profile, Role};
use immutape::keyring::{LocalSigner, OsRandom};
use immutape::ledger::{
    Approvals, CheckOptions, Checker, Ledger, NewFounder, NewLedger, PeopleChange, Places, Repair, SuccessionRequest,
    Who,
};
use immutape::log::{ActorKind, Authentication, Body, EntryKind, PeopleBody};
use immutape::seal::{Signer, ssh_signature};
use immutape::{Code, Result};

use crate::support::crash::copy_folder;
use crate::support::ledgers::{open, real, save_tape};
use crate::support::tamper::auditor;

/// Somebody with a key.
#[derive(Clone)]
struct Someone {
    name: &'static str,
    key: Arc<LocalSigner>,
}

impl Someone {
    fn new(name: &'static str) -> Self {
        Self { name, key: Arc::new(LocalSigner::generate(&OsRandom).unwrap()) }
    }

    fn who(&self) -> Who {
        let signer: Arc<dyn Signer> = self.key.clone();
        Who::os_user("root").person((self.name.as_bytes().to_vec(), signer))
    }

    fn founder(&self, roles: &[Role]) -> NewFounder {
        NewFounder { name: self.name.into(), key: self.key.public_key(), roles: roles.to_vec(), id: None }
    }

    fn comes(&self) -> PeopleChange {
        let (name, key) = (self.name.into(), self.key.public_key());
        PeopleChange::Add { name, kind: ActorKind::Human, key, on_behalf_of: None }
    }

    fn gets(&self, role: Role) -> PeopleChange {
        PeopleChange::Grant { name: self.name.into(), role }
    }

    /// What this one signs.
    fn agrees(&self, case: &str) -> Approvals {
        let signature = ssh_signature(case.as_bytes(), CASE_NAMESPACE, &*self.key).unwrap();
        Approvals { case: case.to_owned(), signatures: vec![signature] }
    }
}

struct Firm {
    _folder: tempfile::TempDir,
    root: std::path::PathBuf,
    ann: Someone,
    ben: Someone,
    ledger: Ledger,
}

impl Firm {
    /// Ann keeps records and runs the machine where that is allowed, Ben has the keys.
    async fn of(profile: Profile) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().to_owned();
        let (ann, ben) = (Someone::new("ann"), Someone::new("ben"));
        let founders = vec![ann.founder(&[Role::RecordsManager]), ben.founder(&[Role::KeyCustodian])];
        let new = NewLedger { name: "firm".into(), profile, founders, ..NewLedger::default() };
        let ledger = Ledger::create_with(Places::beneath(&root), real(), new).await.unwrap();
        Self { _folder: folder, root, ann, ben, ledger }
    }

    async fn change(&self, who: &Someone, change: &PeopleChange) -> Result<u64> {
        self.ledger.change_people(&who.who(), change, &Approvals::default()).await
    }

    async fn again(mut self) -> Self {
        self.ledger.close().await.unwrap();
        self.ledger = open(&self.root).await.unwrap();
        self
    }

    /// Roles of somebody, and whether they count.
    async fn roles(&self, of: &Someone) -> Vec<(Role, bool)> {
        let (people, _) = self.ledger.people(&self.ann.who()).await.unwrap();
        people.into_iter().find(|person| person.name == of.name).unwrap().roles
    }
}

fn code<T: std::fmt::Debug>(result: Result<T>) -> Code {
    result.unwrap_err().code()
}

/// The last refusal on record: the act and the error.
async fn refused(firm: &Firm) -> (EntryKind, u16, Authentication) {
    let (lines, _) = firm.ledger.log(&firm.ann.who(), 0..u64::MAX).await.unwrap();
    let line = lines.iter().rev().find(|line| line.kind == EntryKind::REFUSED).expect("a refusal is on record");
    let Body::Refused { act, error } = &line.body else { panic!("{line:?}") };
    let actor = line.private.as_ref().unwrap().actor.clone().unwrap();
    (EntryKind::from_number(*act), *error, actor.authentication)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_not_known_opens_nothing_and_roles_open_what_they_name() {
    let firm = Firm::of(Profile::SmallFirm).await;
    let (rec, eve) = (Someone::new("rec"), Someone::new("eve"));
    firm.change(&firm.ann, &rec.comes()).await.unwrap();
    firm.change(&firm.ann, &rec.gets(Role::Recorder)).await.unwrap();
    // A name without the key, a key without the name, the operating system's user.
    for who in [
        Who::os_user("ann"),
        eve.who(),
        Someone { name: "ann", ..eve.clone() }.who(),
        Someone { name: "eve", ..firm.ann.clone() }.who(),
    ] {
        assert_eq!(code(firm.ledger.list(&who).await), Code::NotPermitted);
        let (act, error, authentication) = refused(&firm).await;
        assert_eq!((act, error), (EntryKind::LISTED, Code::NotPermitted.number()));
        assert_ne!(authentication, Authentication::RegisteredKey);
    }
    // Who records does not read, who keeps records reads no content, and each hint names what would do.
    let options = immutape::ledger::SaveOptions::default();
    assert!(firm.ledger.begin_save(&rec.who(), options.clone()).await.is_ok());
    let denied = firm.ledger.begin_save(&firm.ann.who(), options).await.map(drop).unwrap_err();
    assert_eq!((denied.code(), denied.hint().unwrap().contains("recorder")), (Code::NotPermitted, true));
    assert_eq!(code(firm.ledger.list(&rec.who()).await), Code::NotPermitted);
    assert!(firm.ledger.list(&firm.ann.who()).await.is_ok());
    // What is done in passing is asked for first, and nobody is refused what was not asked for.
    assert!(firm.ledger.may_record(&rec.who()) && !firm.ledger.may_record(&firm.ann.who()));
    // What an entry says of whom: registered, with the roles that counted.
    let (lines, _) = firm.ledger.log(&firm.ann.who(), 0..u64::MAX).await.unwrap();
    let added = lines.iter().find(|line| line.kind == EntryKind::ACTOR_ADDED).unwrap();
    let private = added.private.as_ref().unwrap();
    assert_eq!(private.actor.as_ref().unwrap().authentication, Authentication::RegisteredKey);
    assert_eq!((private.roles.clone(), private.names().len()), (vec!["records-manager".to_owned()], 1));
    assert!(!hex::encode(added.body.encode()).contains(&hex::encode("rec")), "no name in a public half");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_that_decide_take_two_others_who_sign_once_for_one_thing() {
    let firm = Firm::of(Profile::SmallFirm).await;
    let cat = Someone::new("cat");
    firm.change(&firm.ann, &cat.comes()).await.unwrap();
    let wanted = cat.gets(Role::Approver);
    assert_eq!(code(firm.change(&firm.ann, &wanted).await), Code::SecondPerson);
    assert_eq!(refused(&firm).await.1, Code::SecondPerson.number());
    let case = firm.ledger.people_case(&wanted).unwrap();
    let with = |approvals: Approvals, change: PeopleChange| {
        let (ledger, who) = (firm.ledger.clone(), firm.ann.who());
        async move { ledger.change_people(&who, &change, &approvals).await }
    };
    // Not for another role, not in another spelling, not by a stranger, not by oneself, not without what was signed.
    assert_eq!(code(with(firm.ben.agrees(&case), cat.gets(Role::HoldOfficer)).await), Code::CaseInvalid);
    let spelled = case.replace("things:  1", "things:  2");
    assert_eq!(code(with(firm.ben.agrees(&spelled), wanted.clone()).await), Code::CaseInvalid);
    let stranger = Someone::new("eve").agrees(&case);
    assert_eq!(code(with(stranger, wanted.clone()).await), Code::ActorUnknown);
    assert_eq!(code(with(firm.ann.agrees(&case), wanted.clone()).await), Code::SecondPerson, "twice the same person");
    assert_eq!(code(with(cat.agrees(&case), wanted.clone()).await), Code::SecondPerson, "whom it is about");
    let mut moved = firm.ben.agrees(&case);
    moved.case = firm.ledger.people_case(&wanted).unwrap();
    assert_eq!(code(with(moved, wanted.clone()).await), Code::CaseInvalid, "signed for another request");
    let elsewhere = ssh_signature(case.as_bytes(), "file", &*firm.ben.key).unwrap();
    let elsewhere = Approvals { case: case.clone(), signatures: vec![elsewhere] };
    assert_eq!(code(with(elsewhere, wanted.clone()).await), Code::CaseInvalid, "signed in another namespace");
    let mut late = Case::parse(&case).unwrap();
    late.expires = immutape::time::Timestamp::from_ms(1);
    let late = firm.ben.agrees(&late.to_text().unwrap());
    assert_eq!(code(with(late, wanted.clone()).await), Code::CaseInvalid, "expired");

    let mut many = firm.ben.agrees(&case);
    many.signatures = vec![many.signatures[0].clone(); 8];
    assert_eq!(
        code(with(many.clone(), wanted.clone()).await),
        Code::CaseInvalid,
        "more signatures than an entry names"
    );

    // Who signed twice, and who entered it and signed, too, agreed once: the entry can be read.
    many.signatures =
        vec![many.signatures[0].clone(), firm.ann.agrees(&case).signatures.remove(0), many.signatures[1].clone()];
    with(many, wanted.clone()).await.unwrap();
    assert_eq!(firm.roles(&cat).await, [(Role::Approver, true)]);
    // Used once, also after a start.
    firm.change(&firm.ann, &PeopleChange::Revoke { name: "cat".into(), role: Role::Approver }).await.unwrap();
    let firm = firm.again().await;
    let again = firm.ledger.change_people(&firm.ann.who(), &wanted, &firm.ben.agrees(&case)).await;
    assert_eq!(code(again), Code::CaseInvalid);
    assert_eq!(firm.roles(&cat).await, []);
    // What was signed stands in the log, for whoever checks later.
    let (lines, _) = firm.ledger.log(&firm.ann.who(), 0..u64::MAX).await.unwrap();
    let granted = lines.iter().find(|line| line.kind == EntryKind::ROLE_GRANTED).unwrap();
    let signed = granted.private.as_ref().unwrap().signed_texts();
    assert_eq!((signed.len(), signed[0].text.as_slice()), (3, case.as_bytes()));
    let Body::People(PeopleBody::RoleGranted { agreed, .. }) = &granted.body else { panic!("{granted:?}") };
    assert_eq!(agreed.len(), 2);
    assert_eq!(signed[0].thumbprint, firm.ben.key.public_key().thumbprint());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conflicts_waits_and_names_are_the_laws() {
    let firm = Firm::of(Profile::Regulated).await;
    let (cat, dan) = (Someone::new("cat"), Someone::new("dan"));
    firm.change(&firm.ann, &cat.comes()).await.unwrap();
    firm.change(&firm.ben, &cat.gets(Role::Auditor)).await.unwrap();
    assert_eq!(code(firm.change(&firm.ann, &cat.gets(Role::Recorder)).await), Code::RoleConflict);
    assert_eq!(refused(&firm).await.1, Code::RoleConflict.number());
    // Nobody vouches for the time: what has to wait does not count.
    firm.change(&firm.ann, &dan.comes()).await.unwrap();
    let wanted = dan.gets(Role::HoldOfficer);
    let case = firm.ledger.people_case(&wanted).unwrap();
    firm.ledger.change_people(&firm.ann.who(), &wanted, &firm.ben.agrees(&case)).await.unwrap();
    assert_eq!(firm.roles(&dan).await, [(Role::HoldOfficer, false)]);
    assert_eq!(code(firm.ledger.list(&dan.who()).await), Code::NotPermitted);
    // A name and a key stay whose they were.
    let taken = Someone { name: "cat", ..Someone::new("x") };
    assert_eq!(code(firm.change(&firm.ann, &taken.comes()).await), Code::Usage);
    let key = Someone { name: "x", ..cat.clone() };
    assert_eq!(code(firm.change(&firm.ann, &key.comes()).await), Code::Usage);
    assert_eq!(code(firm.change(&firm.ann, &Someone::new("nobody").gets(Role::Reader)).await), Code::ActorUnknown);
    // An auditor changes nothing.
    assert_eq!(code(firm.change(&cat, &dan.gets(Role::Reader)).await), Code::NotPermitted);
    firm.change(&firm.ann, &PeopleChange::Disable { name: "cat".into() }).await.unwrap();
    let firm = firm.again().await;
    assert_eq!(code(firm.ledger.list(&cat.who()).await), Code::NotPermitted, "and the log says so after a start");
    assert_eq!(code(firm.change(&firm.ann, &cat.comes()).await), Code::Usage, "nobody is enrolled again");
    let wanted = dan.gets(Role::KeyCustodian);
    let case = firm.ledger.people_case(&wanted).unwrap();
    let signed = firm.ledger.change_people(&firm.ann.who(), &wanted, &cat.agrees(&case)).await;
    assert_eq!(code(signed), Code::ActorUnknown, "what somebody signs who is disabled");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_replaced_on_the_word_of_who_has_it_or_of_two_others() {
    let firm = Firm::of(Profile::SmallFirm).await;
    let cat = Someone::new("cat");
    firm.change(&firm.ann, &cat.comes()).await.unwrap();
    firm.change(&firm.ann, &cat.gets(Role::Reader)).await.unwrap();
    let newer = Someone { name: "cat", ..Someone::new("cat") };
    let change = |to: &Someone| PeopleChange::Rotate { name: "cat".into(), key: to.key.public_key() };
    firm.change(&cat, &change(&newer)).await.unwrap();
    assert_eq!(code(firm.ledger.list(&cat.who()).await), Code::NotPermitted);
    assert!(firm.ledger.list(&newer.who()).await.is_ok());
    // Lost: one other is not enough, and an agent of the past does not come back.
    let newest = Someone { name: "cat", ..Someone::new("cat") };
    assert_eq!(code(firm.change(&firm.ann, &change(&newest)).await), Code::SecondPerson);
    let case = firm.ledger.people_case(&change(&newest)).unwrap();
    firm.ledger.change_people(&firm.ann.who(), &change(&newest), &firm.ben.agrees(&case)).await.unwrap();
    let firm = firm.again().await;
    assert!(firm.ledger.list(&newest.who()).await.is_ok());
    let of_the_past = Someone { name: "dan", ..cat.clone() };
    assert_eq!(code(firm.change(&firm.ann, &of_the_past.comes()).await), Code::Usage, "a key that somebody had");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ledger_of_people_begins_with_two_and_a_personal_one_with_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let (ann, ben) = (Someone::new("ann"), Someone::new("ben"));
    let made = |profile, founders: Vec<NewFounder>, name: &str| {
        let new = NewLedger { name: "firm".into(), profile, founders, ..NewLedger::default() };
        Ledger::create_with(Places::beneath(&folder.path().join(name)), real(), new)
    };
    let one = vec![ann.founder(&[Role::Administrator])];
    assert_eq!(code(made(Profile::SmallFirm, one.clone(), "one").await.map(drop)), Code::SecondPerson);
    assert_eq!(code(made(Profile::Regulated, Vec::new(), "none").await.map(drop)), Code::SecondPerson);
    assert_eq!(code(made(Profile::Personal, one, "personal").await.map(drop)), Code::Usage);
    let same = Someone { name: "ANN", ..Someone::new("x") };
    let alike = vec![ann.founder(&[Role::Administrator]), same.founder(&[Role::KeyCustodian])];
    assert_eq!(
        code(made(Profile::SmallFirm, alike, "alike").await.map(drop)),
        Code::SecondPerson,
        "they read the same"
    );
    let both = vec![ann.founder(&[Role::Auditor, Role::Recorder]), ben.founder(&[Role::KeyCustodian])];
    assert_eq!(code(made(Profile::SmallFirm, both, "conflict").await.map(drop)), Code::RoleConflict);
    assert!(!folder.path().join("conflict/ledger/journal").exists(), "a refused founding makes nothing");
    let personal = Ledger::create(Places::beneath(&folder.path().join("plain")), real(), "t", false).await.unwrap();
    assert_eq!(code(personal.people(&ann.who()).await), Code::NotPermitted);
    assert_eq!(code(personal.change_people(&ann.who(), &ben.comes(), &Approvals::default()).await), Code::NotPermitted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_are_read_from_the_log_whatever_becomes_of_the_rows_and_repairs_ask_them() {
    let firm = Firm::of(Profile::SmallFirm).await;
    let rec = Someone::new("rec");
    firm.change(&firm.ann, &rec.comes()).await.unwrap();
    firm.change(&firm.ann, &rec.gets(Role::Recorder)).await.unwrap();
    firm.ledger.close().await.unwrap();
    let check = |root: &Path| Checker::open(&Places::beneath(root), &real()).unwrap().run(&CheckOptions::default());
    let report = check(&firm.root);
    assert_eq!(report.verdict(), immutape::evidence::Verdict::Intact, "{:#?}", report.findings);
    if let Some(said) = auditor::second(&firm.root, &auditor::keys(&firm.root)) {
        assert_eq!(said, (0, "intact".to_owned()));
    }
    if auditor::is_here() {
        let (exit, said) = auditor::said(&firm.root, &auditor::keys(&firm.root));
        assert_eq!(exit, 0, "{said}");
        assert!(said.contains("intact"), "{said}");
    }
    std::fs::remove_dir_all(firm.root.join("ledger/index")).unwrap();
    let ledger = open(&firm.root).await.unwrap();
    assert!(ledger.begin_save(&rec.who(), immutape::ledger::SaveOptions::default()).await.is_ok());
    assert!(save_tape(&ledger, "sqlite-crash").await.is_err(), "the operating system's user records nothing");
    ledger.close().await.unwrap();

    // Who may mend is asked of the log, too, while no ledger is open.
    std::fs::remove_file(firm.root.join("state/head")).unwrap();
    let mend =
        |who: Who| Ledger::repair(Places::beneath(&firm.root), real(), Repair::AcceptHead, Box::leak(Box::new(who)));
    assert_eq!(code(mend(rec.who()).await), Code::NotPermitted);
    assert_eq!(code(mend(Who::os_user("root")).await), Code::NotPermitted);
    mend(firm.ben.who()).await.unwrap();
    assert!(open(&firm.root).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_of_people_ends_by_two_and_goes_on_with_them() {
    let firm = Firm::of(Profile::Regulated).await;
    let cat = Someone::new("cat");
    firm.change(&firm.ann, &cat.comes()).await.unwrap();
    firm.change(&firm.ann, &cat.gets(Role::Recorder)).await.unwrap();
    let (root, ann, ben) = (firm.root.clone(), firm.ann.clone(), firm.ben.clone());
    firm.ledger.close().await.unwrap();
    // The disk with the ledger is lost, and its copy is older than what the state folder knows.
    copy_folder(&root.join("ledger"), &root.join("copy"));
    let ledger = open(&root).await.unwrap();
    ledger.change_people(&ann.who(), &Someone::new("dan").comes(), &Approvals::default()).await.unwrap();
    ledger.close().await.unwrap();
    std::fs::remove_dir_all(root.join("ledger")).unwrap();
    copy_folder(&root.join("copy"), &root.join("ledger"));
    assert_eq!(code(open(&root).await.map(drop)), Code::LogRollback);

    let places = || (Places::beneath(&root), Places::beneath(&root.join("new")));
    let request = |approvals| {
        let mut request = SuccessionRequest::default();
        (request.name, request.approvals) = ("second".into(), approvals);
        request
    };
    let succeed = |who: Who, approvals: Approvals| {
        let ((old, new), request) = (places(), request(approvals));
        async move { Ledger::succeed(old, new, real(), &who, request).await }
    };
    let case = Ledger::succession_case(places().0, real(), request(Approvals::default())).await.unwrap();
    assert!(case.contains("ended by loss"), "{case}");
    assert_eq!(code(succeed(Who::os_user("root"), ann.agrees(&case)).await), Code::NotPermitted);
    assert_eq!(code(succeed(ann.who(), ben.agrees(&case)).await), Code::NotPermitted, "no custodian");
    assert_eq!(code(succeed(ben.who(), Approvals::default()).await), Code::SecondPerson);
    assert_eq!(code(succeed(ben.who(), ben.agrees(&case)).await), Code::SecondPerson, "the same person");
    assert_eq!(code(succeed(ben.who(), cat.agrees(&case)).await), Code::SecondPerson, "who may not enrol");
    let other = case.replace("called second", "called third");
    assert_eq!(code(succeed(ben.who(), Someone::new("eve").agrees(&other)).await), Code::ActorUnknown);
    assert!(!root.join("new/ledger/journal").exists(), "nothing is made before two agree");
    let made = succeed(ben.who(), ann.agrees(&case)).await.unwrap();
    assert!(made.proven.is_by_old());

    // Those who act there go on, under the ids that they had; what was signed stands beside the statement.
    let ledger = open(&root.join("new")).await.unwrap();
    let (people, _) = ledger.people(&ann.who()).await.unwrap();
    let mut names: Vec<_> = people.iter().map(|person| (person.name.as_str(), person.roles.clone())).collect();
    names.sort_by_key(|(name, _)| *name);
    assert_eq!(
        names,
        [
            ("ann", vec![(Role::RecordsManager, true)]),
            ("ben", vec![(Role::KeyCustodian, true)]),
            ("cat", vec![(Role::Recorder, true)]),
        ]
    );
    let (lines, _) = ledger.log(&ann.who(), 0..u64::MAX).await.unwrap();
    let joined = lines.iter().find(|line| line.kind == EntryKind::SUCCESSION).unwrap();
    assert_eq!(joined.private.as_ref().unwrap().signed_texts()[0].text, case.as_bytes());
    assert_eq!(ledger.status().unwrap().profile, "regulated");
    ledger.close().await.unwrap();
    let report = Checker::open(&Places::beneath(&root.join("new")), &real()).unwrap().run(&CheckOptions::default());
    assert_eq!(report.verdict(), immutape::evidence::Verdict::Intact, "{:#?}", report.findings);
}
