//! A short queue from one thread to another. `std`'s channel does the same, in 11 kB more of a file
//! that has 700 at the most.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    waiting: VecDeque<T>,
    /// One of the two ends is gone.
    closed: bool,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, until: impl Fn(&State<T>) -> bool) -> MutexGuard<'_, State<T>> {
        let not_yet = |state: &mut State<T>| !state.closed && !until(state);
        self.changed.wait_while(self.lock(), not_yet).unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }
}

/// The end that gives; once it is dropped the other comes to an end.
pub(super) struct Give<T>(Arc<Shared<T>>, usize);

/// The end that takes; once it is dropped nothing is waited for.
pub(super) struct Take<T>(Arc<Shared<T>>);

/// A queue in which at the most so many wait.
pub(super) fn queue<T>(most: usize) -> (Give<T>, Take<T>) {
    let state = Mutex::new(State { waiting: VecDeque::with_capacity(most), closed: false });
    let shared = Arc::new(Shared { state, changed: Condvar::new() });
    (Give(Arc::clone(&shared), most), Take(shared))
}

impl<T> Give<T> {
    /// Whether there is anybody to take it; waits for room.
    pub fn give(&self, item: T) -> bool {
        let mut state = self.0.wait(|state| state.waiting.len() < self.1);
        if !state.closed {
            state.waiting.push_back(item);
            self.0.changed.notify_all();
        }
        !state.closed
    }
}

impl<T> Iterator for Take<T> {
    type Item = T;

    /// What was given before the other end was dropped is taken, too.
    fn next(&mut self) -> Option<T> {
        let mut state = self.0.wait(|state| !state.waiting.is_empty());
        let item = state.waiting.pop_front();
        self.0.changed.notify_all();
        item
    }
}

impl<T> Drop for Give<T> {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl<T> Drop for Take<T> {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn all_that_is_given_is_taken_in_its_order() {
        let (give, take) = queue(2);
        thread::scope(|scope| {
            scope.spawn(move || (0..1000).for_each(|number| assert!(give.give(number))));
            assert!(take.eq(0..1000));
        });
    }

    #[test]
    fn nobody_waits_for_an_end_that_is_gone() {
        let (give, take) = queue(1);
        assert!(give.give(1));
        drop(take);
        assert!(!give.give(2));
        let (give, mut take) = queue::<u8>(1);
        drop(give);
        assert_eq!(take.next(), None);
    }
}
