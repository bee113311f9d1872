//! System calls that signals interrupt, begun again a bounded number of times: a program whose timer ticks faster than a
//! call can be done must not stay in it for ever.

use rustix::io::Errno;

/// Interruptions in succession, nothing done in between, after which a call is given up.
const INTERRUPTIONS_MAX: u32 = 1000;
/// The first piece of what is done piece by piece, in bytes.
const PIECE: u64 = 32 << 20;
/// The smallest piece, in bytes.
const PIECE_MIN: u64 = 4096;

/// Does something that is done at once if it is done.
pub(crate) fn begin_again<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    for _ in 1..INTERRUPTIONS_MAX {
        match call() {
            Err(Errno::INTR) => {}
            done => return done,
        }
    }
    call()
}

/// Does something for `size` bytes piece by piece: `call` is told where a piece begins and how long it is. One that is
/// interrupted is undone by the kernel, however much of it was done, so pieces get shorter when signals come and longer
/// when none do.
pub(crate) fn piece_by_piece(
    size: u64,
    mut call: impl FnMut(u64, u64) -> Result<(), Errno>,
) -> Result<(), Errno> {
    let (mut done, mut piece) = (0, PIECE);
    let mut interruptions = 0;
    while done < size {
        let length = piece.min(size - done);
        match call(done, length) {
            Ok(()) => {
                done += length;
                piece += piece / 4;
                interruptions = 0;
            }
            Err(Errno::INTR) if interruptions < INTERRUPTIONS_MAX => {
                piece = (length / 2).max(PIECE_MIN);
                interruptions += 1;
            }
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_always_interrupted_is_given_up() {
        let mut calls = 0;
        let never = || {
            calls += 1;
            Err::<(), _>(Errno::INTR)
        };
        assert_eq!(begin_again(never), Err(Errno::INTR));
        assert_eq!(calls, INTERRUPTIONS_MAX);

        let mut calls = 0;
        let never = |_, _| {
            calls += 1;
            Err(Errno::INTR)
        };
        assert_eq!(piece_by_piece(1 << 40, never), Err(Errno::INTR));
        assert_eq!(calls, INTERRUPTIONS_MAX + 1);
    }

    #[test]
    fn another_error_ends_it_and_an_interruption_does_not() {
        let mut left = 3;
        let call = || {
            left -= 1;
            if left > 0 { Err(Errno::INTR) } else { Ok(left) }
        };
        assert_eq!(begin_again(call), Ok(0));
        assert_eq!(begin_again(|| Err::<(), _>(Errno::NOSPC)), Err(Errno::NOSPC));
        assert_eq!(piece_by_piece(1, |_, _| Err(Errno::NOSPC)), Err(Errno::NOSPC));
    }

    /// A timer that lets so many bytes be done between two ticks.
    #[test]
    fn pieces_cover_all_of_it_whatever_can_be_done_between_two_signals() {
        for (size, between) in [(1 << 30, u64::MAX), (1 << 30, 1 << 20), ((1 << 24) + 5, PIECE_MIN), (0, 1)] {
            let (mut covered, mut calls) = (0, 0_u64);
            let call = |start, length| {
                calls += 1;
                assert_eq!(start, covered);
                if length > between {
                    return Err(Errno::INTR);
                }
                covered += length;
                Ok(())
            };
            assert_eq!(piece_by_piece(size, call), Ok(()));
            assert_eq!(covered, size);
            assert!(calls <= 20 + 4 * size.div_ceil(between), "{size} {between}: {calls}");
        }
    }
}
