//! The program's own tests, written for its plain files. They hold for any storage that keeps its word.

use immutape::Code;
use immutape::provider::Surroundings;

use crate::HelpDesk;

/// Runs all of them on the storage that the configuration names, which must hold nothing yet.
///
/// # Panics
/// When one fails.
pub async fn all(configuration: &str, around: &Surroundings) {
    let desk = HelpDesk::start(configuration, around.clone()).await.unwrap();
    nothing_was_said_yet(&desk).await;
    answers_come_back_in_order(&desk).await;
    callers_are_kept_apart(&desk).await;
    nobody_is_forgotten(&desk).await;
    desk.stop().await.unwrap();
    let desk = HelpDesk::start(configuration, around.clone()).await.unwrap();
    a_restart_loses_nothing(&desk).await;
    desk.stop().await.unwrap();
}

async fn nothing_was_said_yet(desk: &HelpDesk) {
    assert_eq!(desk.totals().await.unwrap(), (0, 0));
    assert_eq!(desk.answers("Ann").await.unwrap(), [""; 0]);
}

async fn answers_come_back_in_order(desk: &HelpDesk) {
    desk.record("Ann", &[("one?", "1"), ("two?", "2 \"zwei\" \u{1b}[2J")]).await.unwrap();
    desk.record("Ann", &[("three?", "3")]).await.unwrap();
    assert_eq!(desk.answers("Ann").await.unwrap(), ["1", "2 \"zwei\" \u{1b}[2J", "3"]);
}

async fn callers_are_kept_apart(desk: &HelpDesk) {
    desk.record("Bo", &[("who?", "you")]).await.unwrap();
    assert_eq!(desk.answers("Bo").await.unwrap(), ["you"]);
    assert_eq!(desk.answers("Nobody").await.unwrap(), [""; 0]);
}

async fn nobody_is_forgotten(desk: &HelpDesk) {
    assert_eq!(desk.forget("Bo").await.unwrap(), [Code::DisposalRequired]);
    assert_eq!(desk.answers("Bo").await.unwrap(), ["you"]);
}

async fn a_restart_loses_nothing(desk: &HelpDesk) {
    assert_eq!(desk.totals().await.unwrap(), (3, 8));
    assert_eq!(desk.answers("Ann").await.unwrap().len(), 3);
}
