"""People: users, sessions, sign-in links, invites, and the limits on attempts to get in."""
