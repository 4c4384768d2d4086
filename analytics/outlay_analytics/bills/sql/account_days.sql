-- Question: which days of an account are in force? One that was taken back has no pages.
-- Parameters: project, account.
SELECT day
FROM bill_days FINAL
WHERE project = {project:String}
  AND account = {account:String}
  AND notEmpty(pages)
