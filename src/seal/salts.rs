//! Salts of commitments: a keyed stream, so that one key holds as many as are needed and each can be given away alone
//! (`docs/format/1-bytes.md` 1.3). AES in counter mode makes a salt in a tenth of the time of HMAC, and every frame has two.

use aes::cipher::{BlockCipherEncrypt as _, KeyInit as _};
use aes::{Aes256, Block};

use crate::tape::{FrameSalt, Salts};

const BLOCK_BYTES: usize = 16;
/// Blocks of one salt of 32 bytes.
const BLOCKS_A_SALT: usize = 2;

/// The AES-256-CTR keystream (NIST SP 800-38A 6.5) of one key, from counter block zero. The key schedule is erased when
/// dropped.
pub(super) struct SaltStream(Aes256);

impl SaltStream {
    /// From 32 uniformly random or derived bytes that serve nothing else.
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self(Aes256::new(key.into()))
    }

    /// Both salts of frame `seq`: bytes `64 seq .. 64 seq + 64`.
    pub(super) fn frame(&self, seq: u64) -> FrameSalt {
        let [a, b, c, d] = self.blocks::<{ 2 * BLOCKS_A_SALT }>(seq);
        FrameSalt { envelope: joined(a, b), payload: joined(c, d) }
    }

    /// The `n`-th run of `N` blocks. A number of 64 bits times at most four stays far below 2^128.
    fn blocks<const N: usize>(&self, n: u64) -> [[u8; BLOCK_BYTES]; N] {
        let mut counter = u128::from(n).wrapping_mul(N as u128);
        let mut blocks = [Block::default(); N];
        for block in &mut blocks {
            *block = counter.to_be_bytes().into();
            counter = counter.wrapping_add(1);
        }
        self.0.encrypt_blocks(&mut blocks);
        blocks.map(Into::into)
    }
}

/// Fields by number: bytes `32 n .. 32 n + 32`.
impl Salts for SaltStream {
    fn salt(&self, number: u64) -> [u8; 32] {
        let [a, b] = self.blocks::<BLOCKS_A_SALT>(number);
        joined(a, b)
    }
}

fn joined(a: [u8; BLOCK_BYTES], b: [u8; BLOCK_BYTES]) -> [u8; 32] {
    let mut salt = [0; 32];
    let (first, second) = salt.split_at_mut(BLOCK_BYTES);
    first.copy_from_slice(&a);
    second.copy_from_slice(&b);
    salt
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of NIST SP 800-38A F.1.5 under its own ECB vectors: each block of the stream is the encryption of its number.
    const KEY: &str = "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4";

    fn stream() -> SaltStream {
        let mut key = [0; 32];
        hex::decode_to_slice(KEY, &mut key).unwrap();
        SaltStream::new(&key)
    }

    #[test]
    fn the_cipher_is_aes_256() {
        // F.1.5, ECB-AES256.Encrypt, block 1.
        let mut block: Block = 0x6bc1_bee2_2e40_9f96_e93d_7e11_7393_172a_u128.to_be_bytes().into();
        stream().0.encrypt_block(&mut block);
        assert_eq!(hex::encode(block), "f3eed1bdb5d2a03c064b5a7e3db181f8");
    }

    #[test]
    fn salts_are_runs_of_one_stream() {
        let stream = stream();
        let blocks = |from: u128| -> Vec<u8> {
            let encrypt = |n: u128| {
                let mut block: Block = n.to_be_bytes().into();
                stream.0.encrypt_block(&mut block);
                <[u8; 16]>::from(block)
            };
            (from..from + 4).flat_map(encrypt).collect()
        };
        for n in [0, 1, 29, u64::MAX / 2] {
            assert_eq!(stream.salt(n), blocks(u128::from(n) * 2)[..32]);
            let frame = stream.frame(n);
            assert_eq!([frame.envelope, frame.payload].concat(), blocks(u128::from(n) * 4));
        }
        assert_eq!(stream.frame(u64::MAX).envelope, blocks(u128::from(u64::MAX) * 4)[..32]);
    }
}
