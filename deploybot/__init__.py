"""deploybot: a model proposes, people approve, plain code deploys."""
