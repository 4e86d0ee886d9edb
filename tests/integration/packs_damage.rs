//! Damage to packs.
