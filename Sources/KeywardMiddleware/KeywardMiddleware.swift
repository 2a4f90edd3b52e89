// KeywardMiddleware
