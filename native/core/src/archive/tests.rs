use super::*;
use bytes::Bytes;

use crate::wake::NoWake;

fn key(id: u64) -> ResponseKey {
    ResponseKey::of("a", &id.to_string())
}

fn turn(bytes: usize) -> Turn {
    Turn { items: Bytes::from(vec![b' '; bytes]), input: Bytes::new(), response: Bytes::new(), until_us: 10 }
}

fn keep(id: u64, bytes: usize) -> Change {
    Change::KeepTurn(key(id), turn(bytes))
}

fn home(owed: bool) -> Home {
    Home { provider: "p".into(), credential: 0, asked: "m".into(), model: "m".into(), owed }
}

fn lasting() -> Archive {
    let archive = Archive::default();
    archive.set_lasts(true);
    archive
}

fn waker() -> Waker {
    Arc::new(NoWake)
}

fn kept<T>(pending: Pending<T>) -> Option<T> {
    match pending {
        Pending::Kept(kept) => Some(kept),
        Pending::Forgotten | Pending::Unknown => None,
    }
}

const NOTHING: Recalled = Recalled { turn: None, home: Known::Nobody };

#[test]
fn a_store_that_ends_with_the_process_is_told_nothing() {
    let archive = Archive::default();
    assert!(!archive.put(keep(1, 1)));
    assert!(archive.is_idle() && archive.batch().is_none());
}

#[test]
fn what_the_store_does_not_know_yet_is_found_and_told_again_in_order() {
    let archive = lasting();
    assert!(archive.put(keep(1, 1)) && !archive.put(keep(2, 2)));
    let first = archive.batch().unwrap();
    assert_eq!(first, [keep(1, 1), keep(2, 2)]);
    assert_eq!(archive.batch(), None, "one at a time");
    archive.put(keep(3, 3));
    assert_eq!(kept(archive.turn(&key(1))), Some(turn(1)));
    archive.not_stored();
    assert_eq!(archive.batch().unwrap(), [keep(1, 1), keep(2, 2), keep(3, 3)]);
    archive.stored();
    assert!(archive.is_idle() && matches!(archive.turn(&key(1)), Pending::Unknown));
}

#[test]
fn the_newest_of_a_response_is_told_alone_unless_the_store_has_another_in_hand() {
    let archive = lasting();
    archive.put(Change::KeepHome(key(1), home(true)));
    archive.put(Change::KeepHome(key(1), home(false)));
    assert_eq!(archive.batch().unwrap(), [Change::KeepHome(key(1), home(false))]);
    archive.put(Change::ForgetHome(key(1)));
    assert!(matches!(archive.home(&key(1)), Pending::Forgotten));
    archive.stored();
    assert!(matches!(archive.home(&key(1)), Pending::Forgotten), "the store has it still");
    assert_eq!(archive.batch().unwrap(), [Change::ForgetHome(key(1))]);
    archive.stored();
    assert!(matches!(archive.home(&key(1)), Pending::Unknown));
}

#[test]
fn what_the_store_says_yields_to_what_it_was_not_told() {
    let archive = lasting();
    archive.put(keep(1, 1));
    archive.put(Change::KeepHome(key(1), home(false)));
    let merged = archive.merged(&key(1), NOTHING);
    assert_eq!(merged, Recalled { turn: Some(turn(1)), home: Known::Own(home(false)) });
    archive.forget_turns();
    archive.put(Change::ForgetHome(key(1)));
    let stale = Recalled { turn: Some(turn(1)), home: Known::Own(home(true)) };
    assert_eq!(archive.merged(&key(1), stale.clone()), NOTHING);
    archive.put(keep(1, 2));
    assert_eq!(archive.merged(&key(1), stale).turn, Some(turn(2)), "kept after all were forgotten");
    assert_eq!(archive.batch().unwrap().len(), 3, "the first turn is not told: it would be thrown away");
}

#[test]
fn who_throws_a_turn_away_hears_when_the_store_did_it_and_when_not() {
    let archive = lasting();
    archive.put(keep(1, 1));
    let first = archive.forget_turn(key(1), &waker()).unwrap();
    archive.put(keep(2, 4 << 20));
    // In the place of the first: its change comes behind the other now.
    let second = archive.forget_turn(key(1), &waker()).unwrap();
    assert_eq!(archive.batch().unwrap(), [keep(2, 4 << 20)]);
    archive.stored();
    assert!(first.poll().is_none() && second.poll().is_none());
    assert_eq!(archive.batch().unwrap(), [Change::ForgetTurn(key(1))]);
    let third = archive.forget_turn(key(1), &waker()).unwrap();
    archive.not_stored();
    assert!(matches!(first.poll(), Some(Answer::Unavailable)) && matches!(second.poll(), Some(Answer::Unavailable)));
    assert!(matches!(archive.turn(&key(1)), Pending::Forgotten), "and it is not found meanwhile");
    assert!(third.poll().is_none());
    archive.batch().unwrap();
    archive.stored();
    assert!(matches!(third.poll(), Some(Answer::Done)));
}

#[test]
fn what_waits_is_bounded_and_what_is_not_put_is_counted() {
    let archive = lasting();
    for id in 0..40 {
        archive.put(keep(id, 1 << 20));
    }
    assert_eq!(archive.lost(), 9, "31 and what each weighs besides");
    assert!(kept(archive.turn(&key(0))).is_some() && kept(archive.turn(&key(39))).is_none());
    let batch = archive.batch().unwrap();
    assert_eq!(batch.len(), 3, "4 MiB at once");
    archive.stored();
    archive.put(keep(40, 1 << 20));
    assert_eq!(archive.lost(), 9);
    for id in 0..70_000 {
        archive.put(Change::ForgetHome(key(id)));
    }
    assert!(archive.forget_turn(key(70_001), &waker()).is_none());
    let books = lock(&archive.books);
    assert!(books.bytes <= MOST_BYTES && books.changes.len() <= MOST_CHANGES);
}

#[test]
fn a_question_that_nobody_answers_has_an_answer_all_the_same() {
    let archive = lasting();
    let (asked, lost) = (archive.ask(key(1), &waker()), archive.ask(key(1), &waker()));
    let mut questions = archive.take_questions();
    drop(questions.pop());
    assert!(matches!(lost.poll(), Some(Answer::Unavailable)) && asked.poll().is_none());
    let question = questions.pop().unwrap();
    assert!(archive.is_current(&question));
    archive.forget_turn(key(2), &waker());
    assert!(!archive.is_current(&question), "a turn that was thrown away may be what it brings");
    question.answer(NOTHING);
    assert!(matches!(asked.poll(), Some(Answer::Recalled(NOTHING))));
}
