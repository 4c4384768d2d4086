-- What the spans of requests from {next} on say.
SELECT * FROM settle_merged WHERE precedence = {next:UInt32}
