-- The keys of the clients. A key that was revoked stays, and so does its name.
-- Times are microseconds since 1970 in UTC.
CREATE TABLE api_key (
    name          TEXT    NOT NULL PRIMARY KEY,
    hash          BLOB    NOT NULL,         -- SHA-256 of the secret
    created_at    INTEGER NOT NULL,
    revoked_at    INTEGER                   -- null: it holds
) STRICT;
