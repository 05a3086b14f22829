module redis-session-bot/lab

go 1.26.0

replace redis-session-bot => ../
