"""A small Django project, as there are many: accounts, sessions, and a cart in the session."""
