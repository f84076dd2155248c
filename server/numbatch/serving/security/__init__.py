"""Who is let in, and for what: tokens, scopes, certificates. Knows no transport."""
