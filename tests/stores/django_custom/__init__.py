"""A Django app with a user model of its own: people have an address for a name, and a UUID."""
