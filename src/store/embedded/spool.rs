//! Placeholder line until the engine lands.
