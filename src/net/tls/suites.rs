//! The two cipher suites of RFC 8446 9.1: AES-GCM with 128 and with 256 bits, over protected records (5.2).

use std::marker::PhantomData;

use aes_gcm::aead::consts::{U12, U16};
use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes128Gcm, Aes256Gcm, Nonce as GcmNonce, Tag};
use rustls::crypto::CipherSuiteCommon;
use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, InboundPlainMessage, Iv, MessageDecrypter, MessageEncrypter, Nonce,
    OutboundOpaqueMessage, OutboundPlainMessage, PrefixedPayload, Tls13AeadAlgorithm, UnsupportedOperationError,
    make_tls13_aad,
};
use rustls::crypto::tls13::HkdfUsingHmac;
use rustls::{
    CipherSuite, ConnectionTrafficSecrets, ContentType, Error, ProtocolVersion, SupportedCipherSuite, Tls13CipherSuite,
};

use super::hashes::{SHA256, SHA384};

const TAG_BYTES: usize = 16;

/// Records under one key before it is changed: RFC 8446 5.5 allows 2^24.5 whole ones for AES-GCM.
const RECORDS_MAX: u64 = 1 << 24;

/// What is offered, the stronger first.
pub(super) static ALL: &[SupportedCipherSuite] =
    &[SupportedCipherSuite::Tls13(&AES_256), SupportedCipherSuite::Tls13(&AES_128)];

static AES_256: Tls13CipherSuite = Tls13CipherSuite {
    common: CipherSuiteCommon {
        suite: CipherSuite::TLS13_AES_256_GCM_SHA384,
        hash_provider: &SHA384,
        confidentiality_limit: RECORDS_MAX,
    },
    hkdf_provider: &HkdfUsingHmac(&SHA384),
    aead_alg: &Records::<Aes256Gcm> { key_bytes: 32, cipher: PhantomData },
    quic: None,
};

static AES_128: Tls13CipherSuite = Tls13CipherSuite {
    common: CipherSuiteCommon {
        suite: CipherSuite::TLS13_AES_128_GCM_SHA256,
        hash_provider: &SHA256,
        confidentiality_limit: RECORDS_MAX,
    },
    hkdf_provider: &HkdfUsingHmac(&SHA256),
    aead_alg: &Records::<Aes128Gcm> { key_bytes: 16, cipher: PhantomData },
    quic: None,
};

/// Protection of records by one cipher.
struct Records<C> {
    key_bytes: usize,
    cipher: PhantomData<fn() -> C>,
}

/// A cipher of the size that its suite says.
trait Cipher: KeyInit + AeadInOut<NonceSize = U12, TagSize = U16> {}

impl<C: KeyInit + AeadInOut<NonceSize = U12, TagSize = U16>> Cipher for C {}

impl<C: Cipher + Send + Sync + 'static> Tls13AeadAlgorithm for Records<C> {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        Box::new(Direction::<C>::new(&key, iv))
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        Box::new(Direction::<C>::new(&key, iv))
    }

    fn key_len(&self) -> usize {
        self.key_bytes
    }

    /// Keys never leave the connection: nothing here hands records to a kernel.
    fn extract_keys(&self, _: AeadKey, _: Iv) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        Err(UnsupportedOperationError)
    }
}

/// One direction of a connection. Without a cipher (a key of another length, which rustls never gives) every record
/// is an error, and nothing passes in the clear.
struct Direction<C> {
    cipher: Option<C>,
    iv: Iv,
}

impl<C: Cipher> Direction<C> {
    fn new(key: &AeadKey, iv: Iv) -> Self {
        Self { cipher: C::new_from_slice(key.as_ref()).ok(), iv }
    }

    fn nonce(&self, sequence: u64) -> GcmNonce<U12> {
        GcmNonce::from(Nonce::new(&self.iv, sequence).0)
    }
}

impl<C: Cipher + Send + Sync> MessageEncrypter for Direction<C> {
    fn encrypt(&mut self, message: OutboundPlainMessage<'_>, sequence: u64) -> Result<OutboundOpaqueMessage, Error> {
        let cipher = self.cipher.as_ref().ok_or(Error::EncryptError)?;
        let length = self.encrypted_payload_len(message.payload.len());
        let mut record = PrefixedPayload::with_capacity(length);
        record.extend_from_chunks(&message.payload);
        record.extend_from_slice(&message.typ.to_array());
        let tag = cipher
            .encrypt_inout_detached(&self.nonce(sequence), &make_tls13_aad(length), record.as_mut().into())
            .map_err(|_| Error::EncryptError)?;
        record.extend_from_slice(&tag);
        Ok(OutboundOpaqueMessage::new(ContentType::ApplicationData, ProtocolVersion::TLSv1_2, record))
    }

    /// Text, its type, the tag.
    fn encrypted_payload_len(&self, length: usize) -> usize {
        length.saturating_add(1).saturating_add(TAG_BYTES)
    }
}

impl<C: Cipher + Send + Sync> MessageDecrypter for Direction<C> {
    fn decrypt<'a>(
        &mut self,
        mut message: InboundOpaqueMessage<'a>,
        sequence: u64,
    ) -> Result<InboundPlainMessage<'a>, Error> {
        let cipher = self.cipher.as_ref().ok_or(Error::DecryptError)?;
        let payload = &mut message.payload;
        let aad = make_tls13_aad(payload.len());
        let (text, tag) = payload.split_last_chunk_mut::<TAG_BYTES>().ok_or(Error::DecryptError)?;
        let (length, tag) = (text.len(), Tag::from(*tag));
        cipher
            .decrypt_inout_detached(&self.nonce(sequence), &aad, text.into(), &tag)
            .map_err(|_| Error::DecryptError)?;
        payload.truncate(length);
        message.into_tls13_unpadded_message()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn direction(key: usize) -> Direction<Aes256Gcm> {
        Direction { cipher: Aes256Gcm::new_from_slice(&vec![7; key]).ok(), iv: Iv::new([9; 12]) }
    }

    fn sealed(direction: &mut Direction<Aes256Gcm>, sequence: u64) -> Result<Vec<u8>, Error> {
        let payload = rustls::crypto::cipher::OutboundChunks::Single(b"text");
        let (typ, version) = (ContentType::Handshake, ProtocolVersion::TLSv1_3);
        Ok(direction.encrypt(OutboundPlainMessage { typ, version, payload }, sequence)?.payload.as_ref().to_vec())
    }

    fn opened(record: &mut [u8], sequence: u64) -> Result<Vec<u8>, Error> {
        let message = InboundOpaqueMessage::new(ContentType::ApplicationData, ProtocolVersion::TLSv1_2, record);
        let plain = direction(32).decrypt(message, sequence)?;
        assert_eq!(plain.typ, ContentType::Handshake);
        Ok(plain.payload.to_vec())
    }

    #[test]
    fn a_record_opens_whole_and_in_its_place_alone() {
        let record = sealed(&mut direction(32), 3).unwrap();
        assert_eq!(record.len(), 4 + 1 + TAG_BYTES);
        assert_eq!(opened(&mut record.clone(), 3).unwrap(), b"text");
        assert!(opened(&mut record.clone(), 4).is_err(), "another place");
        for at in 0..record.len() {
            let mut changed = record.clone();
            changed[at] ^= 1;
            assert_eq!(opened(&mut changed, 3), Err(Error::DecryptError), "byte {at}");
        }
        for cut in 0..record.len() {
            assert_eq!(opened(&mut record[..cut].to_vec(), 3), Err(Error::DecryptError), "cut to {cut}");
        }
    }

    #[test]
    fn nothing_passes_without_a_key() {
        assert_eq!(sealed(&mut direction(31), 0), Err(Error::EncryptError));
        let mut record = sealed(&mut direction(32), 0).unwrap();
        let message = InboundOpaqueMessage::new(ContentType::ApplicationData, ProtocolVersion::TLSv1_2, &mut record);
        assert_eq!(direction(31).decrypt(message, 0).map(|_| ()), Err(Error::DecryptError));
        let keys = AES_128.aead_alg.extract_keys(AeadKey::from([0; 32]), Iv::new([0; 12]));
        assert!(keys.is_err() && AES_128.aead_alg.key_len() == 16 && AES_256.aead_alg.key_len() == 32);
    }
}
