"""The room that turns one recording's bytes into scores; it never decides which recording is next."""
