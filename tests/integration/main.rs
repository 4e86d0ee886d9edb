//! The one integration test binary. `support` holds the faulting file system and builders.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "helpers of tests may stop at the first surprise, as tests do"
)]

mod support;

mod audit_trail;
mod capture_crash;
mod capture_faults;
mod capture_index;
mod capture_load;
mod capture_seeds;
mod capture_stream;
mod capture_traps;
mod cddl;
mod cli;
mod conformance_files;
mod conformance_journal;
mod conformance_lasting;
mod conformance_objects;
mod conformance_rows;
mod conformance_spool;
mod conformance_vault;
mod docs_examples;
mod error_variants;
mod floors;
mod golden;
mod golden_make;
mod golden_stranger;
mod interchange_bad;
mod interchange_beside;
mod interchange_cast;
mod interchange_export;
mod interchange_forms;
mod interchange_har;
mod interchange_index;
mod interchange_lines;
mod interchange_packed;
mod interchange_real;
mod interchange_records;
mod interchange_stream;
mod interchange_tape_json;
mod journal_real;
mod journal_repair;
mod journal_space;
mod journal_sweep;
mod journal_tear;
mod journal_torn_again;
mod keys_openssl;
mod ledger_asked;
mod ledger_beside;
mod ledger_beside_frames;
mod ledger_chunks;
mod ledger_codes;
mod ledger_crash;
mod ledger_epoch;
mod ledger_fail;
mod ledger_frozen;
mod ledger_full;
mod ledger_kill;
mod ledger_life;
mod ledger_links;
mod ledger_metadata;
mod ledger_model;
mod ledger_older;
mod ledger_power;
mod ledger_repair;
mod ledger_room;
mod ledger_rows;
mod ledger_rows_checked;
mod ledger_rows_lost;
mod ledger_sealing;
mod ledger_search;
mod ledger_second_try;
mod ledger_sled;
mod ledger_turns;
mod ledger_vault_accepted;
mod packs_crash;
mod packs_damage;
mod packs_faults;
mod properties;
mod provider_config;
mod provider_conformance;
mod provider_ledger;
mod provider_registry;
mod provider_sample;
mod public_api;
mod reader_gaps;
mod rows_damage;
mod sim_files_test;
mod spool_damage;
mod stranger;
mod tamper;
mod tamper_disk;
mod tamper_folders;
mod tamper_forged;
mod tamper_forged_rows;
mod tamper_head;
mod tamper_journal;
mod tamper_keys;
mod tamper_packs;
mod tamper_rows;
mod tamper_segments;
mod tamper_spool;
mod tamper_tears;
mod tamper_vault;
mod tiles;
mod timestamps;
mod timestamps_forged;
mod timestamps_golden;
mod vault_crash;
mod vault_damage;
mod vectors;
mod vectors_log;
mod vectors_oracles;
