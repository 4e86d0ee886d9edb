//! Classes that firms ask for first, each with the clause it is made after. Periods were looked up on the day that is named; laws
//! change and fit differently, so whoever uses one has to confirm it for himself, and the note says so wherever it is shown.

use super::class::{ClaimRule, Class, Mode};
use crate::log::Period;

/// When the clauses were read.
pub const CHECKED: &str = "2026-11-20";
/// What stands beside every preset.
pub const CONFIRM: &str =
    "A starting point, not advice: the firm must confirm period, start and scope for its own records.";

const fn years(years: u64) -> Period {
    Period::Calendar { years, months: 0, days: 0 }
}

/// Every preset.
///
/// ```
/// use immutape::governance::presets;
/// let names: Vec<String> = presets().into_iter().map(|class| class.name).collect();
/// assert_eq!(names[0], "sec-17a-4a-6y");
/// ```
#[must_use]
pub fn presets() -> Vec<Class> {
    let fixed = |name: &str, period: Period, clause: &str, note: &str| Class {
        clause: clause.to_owned(),
        note: note.to_owned(),
        ..Class::new(name, ClaimRule::Fixed(period))
    };
    vec![
        Class {
            audit_trail_17a4: true,
            needs_witness: true,
            ..fixed(
                "sec-17a-4a-6y",
                years(6),
                "17 CFR 240.17a-4(a)",
                "The first two years in an easily accessible place.",
            )
        },
        Class {
            audit_trail_17a4: true,
            needs_witness: true,
            ..fixed(
                "sec-17a-4b-3y",
                years(3),
                "17 CFR 240.17a-4(b)",
                "The first two years in an easily accessible place.",
            )
        },
        Class {
            audit_trail_17a4: true,
            needs_witness: true,
            ..fixed(
                "finra-4511-6y",
                years(6),
                "FINRA Rule 4511(b)",
                "Where no other rule names a period; in the form of 17a-4 (4511(c)).",
            )
        },
        Class {
            needs_purpose: true,
            ..fixed(
                "hipaa-documentation-6y",
                years(6),
                "45 CFR 164.316(b)(2)(i)",
                "For policies and records of actions, from when they were made or last in force. This is no period for medical records: \
                 those are set by the states.",
            )
        },
        Class {
            claims: vec![ClaimRule::UntilEvent("audit-concluded".into(), years(7))],
            ..fixed(
                "sox-audit-7y",
                years(7),
                "17 CFR 210.2-06",
                "Seven years from when the audit or review was concluded: assert that event.",
            )
        },
        fixed(
            "mifid-5y",
            years(5),
            "Directive 2014/65/EU art. 16(7)",
            "Up to seven years where the authority asks: extend them then.",
        ),
        Class {
            mode: Mode::Governance,
            allows_early_end: true,
            needs_principal: true,
            ..fixed(
                "ai-act-6m",
                Period::Calendar { years: 0, months: 6, days: 0 },
                "Regulation (EU) 2024/1689 art. 19(1), 26(6)",
                "At least six months for logs of high-risk systems; other law may ask for more, or for less of what is personal.",
            )
        },
        Class {
            mode: Mode::Governance,
            allows_early_end: true,
            ..fixed("draft", Period::Ms(0), "none", "For trying things out: nothing is kept by it.")
        },
    ]
}

#[cfg(test)]
#[allow(clippy::arithmetic_side_effects, reason = "a test that overflows fails")]
mod tests {
    use super::*;

    /// The table, as it stands in the manual: a change of it is seen here.
    #[test]
    fn the_table() {
        let row = |class: &Class| {
            let claims: Vec<String> = class
                .claims
                .iter()
                .map(|claim| match claim {
                    ClaimRule::Fixed(Period::Calendar { years, months, .. }) => format!("{years}y{months}m"),
                    ClaimRule::UntilEvent(event, Period::Calendar { years, .. }) => format!("{event}+{years}y"),
                    other => format!("{other:?}"),
                })
                .collect();
            let flags = [
                (class.audit_trail_17a4, "trail"),
                (class.allows_early_end, "early"),
                (class.needs_purpose, "purpose"),
                (class.needs_principal, "principal"),
                (class.needs_witness, "witness"),
            ];
            let flags: Vec<&str> = flags.into_iter().filter_map(|(is, word)| is.then_some(word)).collect();
            format!("{} {} {} {}", class.name, claims.join(" "), class.mode.word(), flags.join(" "))
        };
        assert_eq!(
            presets().iter().map(row).collect::<Vec<_>>(),
            [
                "sec-17a-4a-6y 6y0m compliance trail witness",
                "sec-17a-4b-3y 3y0m compliance trail witness",
                "finra-4511-6y 6y0m compliance trail witness",
                "hipaa-documentation-6y 6y0m compliance purpose",
                "sox-audit-7y audit-concluded+7y compliance ",
                "mifid-5y 5y0m compliance ",
                "ai-act-6m 0y6m governance early principal",
                "draft Fixed(Ms(0)) governance early",
            ]
        );
    }

    #[test]
    fn each_holds_cites_its_rule_and_can_be_confirmed() {
        for class in presets() {
            assert_eq!(class.check(), Ok(()), "{}", class.name);
            assert!(!class.clause.is_empty() && !class.note.is_empty() && !class.needs_second_person());
        }
        let hipaa = presets().into_iter().find(|class| class.name == "hipaa-documentation-6y").unwrap();
        assert!(hipaa.note.contains("no period for medical records"));
        assert!(CONFIRM.contains("must confirm") && CHECKED.len() == 10);
    }
}
