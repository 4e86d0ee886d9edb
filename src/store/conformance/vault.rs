//! Placeholder line until the suite lands.
