//! How a session is recorded: as the command says, else as the configuration does, else as is usual.

use std::time::Duration;

use super::args::{Failure, Record, When};
use crate::capture::{Durability, OnStorageFailure, RecordingOptions};
use crate::provider::config::CaptureSettings;

const SECONDS_OF_HOUR: u64 = 3_600;

/// Puts what was said in the place of what is usual.
pub(super) fn told(options: RecordingOptions, args: &Record, config: &CaptureSettings) -> RecordingOptions {
    let mut options = options;
    options.durability = durability(args, config).unwrap_or(options.durability);
    options.on_storage_failure = match (args.on_storage_failure, config.text("on_storage_failure")) {
        (Some(Failure::Stop), _) | (None, Some("stop")) => OnStorageFailure::Stop,
        (Some(Failure::ContinueWithGap), _) | (None, Some(_)) => OnStorageFailure::ContinueWithGap,
        (None, None) => options.on_storage_failure,
    };
    let count = |key: &str| config.count(key);
    options.mark_every = count("mark_seconds").map_or(options.mark_every, Duration::from_secs);
    options.mark_frames = count("mark_frames").unwrap_or(options.mark_frames);
    let hours = |n: u64| Duration::from_secs(n.saturating_mul(SECONDS_OF_HOUR));
    options.part_every = count("part_hours").map_or(options.part_every, hours);
    options.part_bytes = count("part_mib").map_or(options.part_bytes, |n| n.saturating_mul(1 << 20));
    options
}

/// What may be lost of a recording, in words for who starts it.
pub(super) fn window(durability: Durability) -> String {
    match durability {
        Durability::Each => "each line is durable before it is passed on: a power cut takes none of them".to_owned(),
        Durability::Interval(every) => {
            let ms = every.as_millis();
            format!("durable every {ms} ms: the last {ms} ms may be lost in a power cut")
        }
        Durability::Os => {
            "durable when the system sees fit: the last half minute may be lost in a power cut".to_owned()
        }
    }
}

/// `None` when nobody said anything of it.
fn durability(args: &Record, config: &CaptureSettings) -> Option<Durability> {
    let every = args.sync_ms.or_else(|| config.count("sync_ms")).map(Duration::from_millis);
    match (args.durability, config.text("durability")) {
        (Some(When::Each), _) | (None, Some("each")) => Some(Durability::Each),
        (Some(When::Os), _) | (None, Some("os")) => Some(Durability::Os),
        (Some(When::Interval), _) | (None, Some(_)) => {
            Some(every.map_or_else(Durability::default, Durability::Interval))
        }
        (None, None) => every.map(Durability::Interval),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::args::{Cli, Verb};
    use crate::provider::config::Sources;

    fn with(flags: &[&str], file: &str) -> RecordingOptions {
        let config = Sources::default().project(("immutape.toml".to_owned(), file.to_owned())).capture().unwrap();
        let words = ["immutape", "record"].iter().chain(flags).chain(&["--", "cat"]);
        let Verb::Record(args) = Cli::try_parse_from(words).unwrap().verb else { panic!() };
        told(RecordingOptions::named("x"), &args, &config)
    }

    #[test]
    fn the_command_counts_before_the_file_and_that_before_what_is_usual() {
        let usual = with(&[], "");
        assert_eq!((usual.durability, usual.on_storage_failure), (Durability::default(), OnStorageFailure::Stop));
        let all = "[capture]\ndurability = 'interval'\nsync_ms = 7\non_storage_failure = 'continue_with_gap'\n\
                   mark_seconds = 2\nmark_frames = 3\npart_hours = 4\npart_mib = 5\n";
        let by_file = with(&[], all);
        assert_eq!(by_file.durability, Durability::Interval(Duration::from_millis(7)));
        assert_eq!(by_file.on_storage_failure, OnStorageFailure::ContinueWithGap);
        assert_eq!((by_file.mark_every, by_file.mark_frames), (Duration::from_secs(2), 3));
        assert_eq!((by_file.part_every, by_file.part_bytes), (Duration::from_secs(4 * 3_600), 5 << 20));
        let by_flag = with(&["--durability", "each", "--on-storage-failure", "stop"], all);
        assert_eq!((by_flag.durability, by_flag.on_storage_failure), (Durability::Each, OnStorageFailure::Stop));
        let mixed = with(&["--sync-ms", "9"], all);
        assert_eq!(mixed.durability, Durability::Interval(Duration::from_millis(9)));
        assert_eq!(with(&["--sync-ms", "9"], "").durability, Durability::Interval(Duration::from_millis(9)));
        assert_eq!(with(&[], "capture.durability = 'os'").durability, Durability::Os);
        assert_eq!(with(&["--durability", "interval"], "capture.durability = 'os'").durability, Durability::default());
    }
}
