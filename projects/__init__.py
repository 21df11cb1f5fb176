"""Projects and what opens them: memberships, ingest keys, API tokens. The one door to a project is `access`."""
