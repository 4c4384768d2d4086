"""What the API takes and answers, as OpenAPI 3.1: `document.document` puts it together when somebody asks for it.

Answers are written by `encode.to_json` from what analytics found, not from these schemas; tests hold real answers of
every route against them, and an undocumented field fails there.
"""
