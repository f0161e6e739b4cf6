"""The pages that everybody with a login sees, for pages.py: first the heading, then the page. Needs no other file."""

login = b'''Log in
<form method="post">{csrf}
<label>Name <input name="username" autocomplete="username" autocapitalize="none" spellcheck="false" required autofocus>
</label>
<label>Password <input name="password" type="password" autocomplete="current-password" required></label>
{#remember}<label class="check"><input name="remember" type="checkbox"> Stay logged in here for {remember} days</label>
{/}<button>Log in</button>
</form>
'''

confirm = b'''Your password again
<form method="post">{csrf}
<p>You are logged in as <b>{user}</b>. What comes next needs your password.</p>
<input name="again" type="hidden" value="1"><input value="{user}" autocomplete="username" readonly hidden>
<label>Password <input name="password" type="password" autocomplete="current-password" required autofocus></label>
<button>Go on</button>
</form>
<p><a href="{login_url}">Log in as somebody else</a></p>
'''

refused = b'''Not possible
{#is_401}<p>This page needs a login.</p>
{/}{#is_403}<p>You may not do this here.</p>
{/}{#is_429}<p>These were too many attempts.</p>
{/}{#is_503}<p>This does not work at the moment.</p>
{/}{#seconds}<p>Try again in {seconds} second{^is_one}s{/}.</p>
{/}<p><a href="{home}">Back</a></p>
'''
