"""The aiohttp client: sessions for API calls, and a second sender besides the lean one."""
