//! `demo`.

use super::out::Out;
use crate::error::Result;

pub(super) fn run(_out: &mut Out) -> Result<u8> {
    Ok(0)
}
