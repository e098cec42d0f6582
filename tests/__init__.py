"""What the tests share: the fake upstream, the table of cases and the scenarios of the OpenAI SDK."""
