"""The page of a device that has no owner yet, for pages.py: first the heading, then the page. Needs no other file."""

claim = b'''Make this device yours
<form method="post" action="{claim_url}">{csrf}
{#code}<label>Code <input name="code" autocomplete="off" autocapitalize="none" spellcheck="false" required autofocus>
</label>
<p class="soft">It is where the device prints what it does. After some minutes there is another one.</p>
{/}<label>Your name <input name="username" value="{username}" autocomplete="username" autocapitalize="none"
spellcheck="false" maxlength="64" required></label>
<label>A new password <input name="password" type="password" autocomplete="new-password" required></label>
<label>And once more <input name="again" type="password" autocomplete="new-password" required></label>
{#button}<p>Hold the button of the device while you press this one.</p>
{/}<button>Make it mine</button>
</form>
'''
