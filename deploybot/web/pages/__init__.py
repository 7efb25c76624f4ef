"""The pages: what people see and do in a browser, drawn here and decided by the inbox."""
