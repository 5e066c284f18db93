-- Version 6: how much of a job is done where its files do not tell: a backup, a model that is being fetched.
ALTER TABLE jobs ADD COLUMN share REAL NOT NULL DEFAULT 0;
