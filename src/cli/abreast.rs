//! Work that goes on side by side on one thread: begun in order, answered in order.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

/// What was begun and is not answered yet.
pub(super) struct Abreast<'f, T> {
    going: VecDeque<Step<'f, T>>,
}

enum Step<'f, T> {
    Going(Pin<Box<dyn Future<Output = T> + 'f>>),
    Done(T),
}

impl<'f, T> Abreast<'f, T> {
    pub(super) const fn new() -> Self {
        Self { going: VecDeque::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.going.len()
    }

    /// Adds work behind what is there. It begins with the next wait.
    pub(super) fn push(&mut self, work: impl Future<Output = T> + 'f) {
        self.going.push_back(Step::Going(Box::pin(work)));
    }

    /// Waits until the oldest is done, and works on all others meanwhile; `None` when there is none.
    pub(super) async fn next(&mut self) -> Option<T> {
        poll_fn(|context| {
            for step in &mut self.going {
                if let Step::Going(work) = step
                    && let Poll::Ready(done) = work.as_mut().poll(context)
                {
                    *step = Step::Done(done);
                }
            }
            match self.going.pop_front() {
                None => Poll::Ready(None),
                Some(Step::Done(done)) => Poll::Ready(Some(done)),
                Some(going) => {
                    self.going.push_front(going);
                    Poll::Pending
                }
            }
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn all_begin_in_order_and_answers_keep_it() {
        let seen = RefCell::new(Vec::new());
        let (mut abreast, mut keys) = (Abreast::new(), Vec::new());
        for n in 0..3 {
            let (key, door) = oneshot::channel();
            keys.push(Some(key));
            let seen = &seen;
            abreast.push(async move {
                seen.borrow_mut().push(n);
                let opened: Result<u32, _> = door.await;
                (n, opened.is_ok())
            });
        }
        // The last is done first, the second is given up.
        keys[2].take().unwrap().send(7).unwrap();
        keys[1].take();
        let first = keys[0].take().unwrap();
        let opener = async {
            tokio::task::yield_now().await;
            assert_eq!(*seen.borrow(), [0, 1, 2], "all have begun before one is done");
            first.send(7).unwrap();
        };
        let (answer, ()) = tokio::join!(abreast.next(), opener);
        assert_eq!(answer, Some((0, true)));
        assert_eq!((abreast.next().await, abreast.len()), (Some((1, false)), 1));
        assert_eq!((abreast.next().await, abreast.next().await), (Some((2, true)), None));
    }
}
