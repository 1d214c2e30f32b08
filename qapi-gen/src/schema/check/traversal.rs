//! The path of QEMU's generator through a schema.
//!
//! In: a schema. Out: the steps of the path, in order. What is checked at a
//! step is not known here.

use crate::rules::Fact;
use crate::schema::{CONTAINMENT_DEPTH_MAX, Entity, Object, Schema, TypeId, TypeKind};

/// A step of the traversal.
pub(super) enum Step {
    /// A segment of a definition's check begins; see
    /// [`CheckPoint`](crate::schema::qemu_order::CheckPoint).
    Segment(Entity, u32),
    /// A definition is checked against its documentation.
    Documentation(Entity),
    /// A segment of `within` reaches an object that is still being checked, so
    /// the object contains itself.
    Recursion {
        object: TypeId,
        within: TypeId,
        segment: u32,
    },
    /// An object contains others too deeply, while those that it contains do
    /// not.
    TooDeep(TypeId),
}

/// Visits the definitions of a schema as QEMU's generator does, and calls
/// `visit` for each step.
pub(super) fn traverse(schema: &Schema, visit: &mut dyn FnMut(Step)) {
    let mut walker = Walker {
        schema,
        visit,
        states: vec![State::New; schema.types.len()],
    };
    for &entity in &schema.entities {
        walker.entity(entity);
        (walker.visit)(Step::Documentation(entity));
    }
}

/// How far an object has been visited.
#[derive(Clone, Copy)]
enum State {
    New,
    Open,
    /// The object is finished, and contains others to this depth.
    Done(usize),
}

struct Walker<'a> {
    schema: &'a Schema,
    visit: &'a mut dyn FnMut(Step),
    states: Vec<State>,
}

impl Walker<'_> {
    fn entity(&mut self, entity: Entity) {
        let arg = match entity {
            Entity::Type(id) => return self.ty(id),
            Entity::Command(id) => self.schema.command(id).arg,
            Entity::Event(id) => self.schema.event(id).arg,
        };
        (self.visit)(Step::Segment(entity, 0));
        // QEMU 7.2 does not check the arguments' type here, but only where that
        // type itself is defined.
        let goes_in = self.schema.rules.have(Fact::ArgumentsCheckedFirst);
        if let Some(arg) = arg.filter(|&arg| goes_in && self.object(arg).is_some()) {
            self.ty(arg);
        }
        (self.visit)(Step::Segment(entity, 1));
    }

    /// Returns the object of a type, or `None` if the type is not an object.
    fn object(&self, id: TypeId) -> Option<&Object> {
        match &self.schema.ty(id).kind {
            TypeKind::Object(object) => Some(object),
            _ => None,
        }
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "`states` has an entry for each type of the schema"
    )]
    fn state(&mut self, id: TypeId) -> &mut State {
        &mut self.states[id.0 as usize]
    }

    fn ty(&mut self, id: TypeId) {
        if self.object(id).is_none() {
            (self.visit)(Step::Segment(Entity::Type(id), 0));
            return;
        }
        if !matches!(self.state(id), State::New) {
            return;
        }
        // An explicit stack of types with their current segments, because the
        // depth is the schema's choice; recursion could overflow our stack.
        let mut stack = Vec::new();
        self.enter(id, &mut stack);
        while let Some((id, segment, depth)) = stack.last_mut() {
            let (id, current) = (*id, *segment);
            let contained = self.contained(id, current);
            match contained {
                None => {
                    let depth = *depth;
                    stack.pop();
                    let depth = self.leave(id, depth);
                    if let Some((outer, segment, outer_depth)) = stack.last_mut() {
                        *outer_depth = (*outer_depth).max(depth + 1);
                        (self.visit)(Step::Segment(Entity::Type(*outer), *segment));
                    }
                    continue;
                }
                Some(_) => *segment += 1,
            }
            if let Some(Some(contained)) = contained {
                match *self.state(contained) {
                    State::New => {
                        self.enter(contained, &mut stack);
                        continue;
                    }
                    State::Open => (self.visit)(Step::Recursion {
                        object: contained,
                        within: id,
                        segment: current,
                    }),
                    State::Done(inner) => *depth = (*depth).max(inner + 1),
                }
            }
            (self.visit)(Step::Segment(Entity::Type(id), current + 1));
        }
    }

    fn enter(&mut self, id: TypeId, stack: &mut Vec<(TypeId, u32, usize)>) {
        *self.state(id) = State::Open;
        (self.visit)(Step::Segment(Entity::Type(id), 0));
        stack.push((id, 0, 0));
    }

    /// Finishes an object, and returns the depth to which it contains others.
    fn leave(&mut self, id: TypeId, depth: usize) -> usize {
        if depth == CONTAINMENT_DEPTH_MAX + 1 {
            (self.visit)(Step::TooDeep(id));
        }
        // Clamp the depth, so that objects around one that is too deep are not
        // reported, too.
        let depth = depth.min(CONTAINMENT_DEPTH_MAX + 1);
        *self.state(id) = State::Done(depth);
        depth
    }

    /// Returns the object that a segment ends with. Returns `None` if the
    /// segment is the last, and `Some(None)` if it ends without an object.
    fn contained(&self, id: TypeId, segment: u32) -> Option<Option<TypeId>> {
        let object = self.object(id)?;
        let contained = match segment.checked_sub(1) {
            None => object.base.filter(|&base| {
                self.object(base)
                    .is_some_and(|base| base.branches.is_none())
            }),
            Some(branch) => {
                let branch = object.branches.as_ref()?.list.get(branch as usize)?;
                Some(branch.ty).filter(|&ty| self.object(ty).is_some())
            }
        };
        Some(contained)
    }
}
