//! The module `regorus`: evaluating Rego with Microsoft's regorus crate, as pratique's engine process asks for it.
//!
//! Names, arguments and answers are those of the crate's own Python binding, as far as `rego_run.py` and
//! `tests/support/opa_cases.py` use them. Everything else is left out on purpose: nothing here opens a file,
//! calls back into Python or takes a Python object apart. Values cross as JSON text.

#![deny(unsafe_code)]

use std::fmt::Debug;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

/// Policies, data and an input document; one thread's.
#[pyclass(unsendable)]
#[derive(Default)]
struct Engine(::regorus::Engine);

/// What went wrong and what caused it, in the words of the crate's own Python binding.
fn refused(error: impl Debug) -> PyErr {
    PyRuntimeError::new_err(format!("{error:?}"))
}

#[pymethods]
impl Engine {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Read the policies added from now on as Rego v0, or as v1, the default.
    fn set_rego_v0(&mut self, enable: bool) {
        self.0.set_rego_v0(enable);
    }

    /// Parse a policy, named `path` in messages; give its package as `data.…`.
    fn add_policy(&mut self, path: String, rego: String) -> PyResult<String> {
        self.0.add_policy(path, rego).map_err(refused)
    }

    /// Merge a JSON object into `data`; a value that differs from one already there is an error.
    fn add_data_json(&mut self, data: &str) -> PyResult<()> {
        self.0.add_data_json(data).map_err(refused)
    }

    /// Forget all of `data` that was added.
    fn clear_data(&mut self) {
        self.0.clear_data();
    }

    /// Make a JSON value `input`.
    fn set_input_json(&mut self, input: &str) -> PyResult<()> {
        self.0.set_input_json(input).map_err(refused)
    }

    /// Evaluate the rule at a full path (`data.package.rule`); its value as JSON, or `"<undefined>"`.
    fn eval_rule_as_json(&mut self, rule: String) -> PyResult<String> {
        let value = self.0.eval_rule(rule).map_err(refused)?;
        value.to_json_str().map_err(refused)
    }

    /// Evaluate a query; `{"result": [{"expressions": […], "bindings": {…}}]}`.
    fn eval_query_as_json(&mut self, query: String) -> PyResult<String> {
        let results = self.0.eval_query(query, false).map_err(refused)?;
        serde_json::to_string(&results).map_err(refused)
    }

    /// The syntax trees of all policies, as a JSON array.
    fn get_ast_as_json(&self) -> PyResult<String> {
        self.0.get_ast_as_json().map_err(refused)
    }

    /// Record from now on which lines are evaluated.
    fn set_enable_coverage(&mut self, enable: bool) {
        self.0.set_enable_coverage(enable);
    }

    /// `{"files": [{"path", "code", "covered": [line], "not_covered": [line]}]}`.
    fn get_coverage_report_as_json(&self) -> PyResult<String> {
        let report = self.0.get_coverage_report().map_err(refused)?;
        serde_json::to_string(&report).map_err(refused)
    }

    /// A copy with policies, data, input and coverage as they are now.
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

#[pymodule]
mod regorus {
    #[pymodule_export]
    use super::Engine;
}
