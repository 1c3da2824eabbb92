-- A request (part 0) and the parts it was split into (1 and up).
-- Times are microseconds since 1970 in UTC.
CREATE TABLE record (
    seq           INTEGER PRIMARY KEY,      -- order of arrival
    id            TEXT    NOT NULL,         -- the UUID in lower case
    part          INTEGER NOT NULL,
    action        TEXT    NOT NULL,
    body          TEXT    NOT NULL,         -- the received object; of a part, its value
    fingerprint   BLOB,                     -- of a part: null
    traceparent   TEXT,
    created_at    INTEGER NOT NULL,
    status        TEXT    NOT NULL DEFAULT 'accepted',
    finished_at   INTEGER,
    attempts      INTEGER NOT NULL DEFAULT 0,
    result        TEXT,
    reason        TEXT,                     -- why it failed
    detail        TEXT,
    parts         INTEGER,                  -- null until the request is planned
    parts_left    INTEGER CHECK (parts_left >= 0),
    parts_failed  INTEGER,
    due_at        INTEGER,                  -- from when it may be received; 0: at once, in order of arrival;
                                            -- null: ended, or waiting for its parts
    lease         BLOB,                     -- token of the holder; it holds until due_at
    CHECK (
        CASE status
            WHEN 'accepted' THEN finished_at IS NULL
            ELSE status IN ('finished', 'failed') AND finished_at >= created_at AND due_at IS NULL
        END
    )
) STRICT;

CREATE UNIQUE INDEX record_key ON record (id, part);

-- What is due, for each action.
CREATE INDEX record_due ON record (action, due_at) WHERE due_at IS NOT NULL;

-- What is held, or was held by a worker that fell silent.
CREATE INDEX record_leased ON record (action, due_at) WHERE lease IS NOT NULL;
