module redis-session-bot

go 1.26.0
