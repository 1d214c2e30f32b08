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

/// An object that is being visited.
struct Frame {
    object: TypeId,
    /// The current segment of the object's check.
    segment: u32,
    /// The depth to which the object contains others, as far as is known.
    depth: usize,
}

/// QEMU's action at the end of a segment of an object's check.
enum SegmentEnd {
    /// QEMU first checks this object, which the current one contains.
    Contained(TypeId),
    /// QEMU continues with the next segment.
    Nothing,
    /// QEMU finishes the object, because the segment is the last.
    Last,
}

struct Walker<'a> {
    schema: &'a Schema,
    visit: &'a mut dyn FnMut(Step),
    states: Vec<State>,
}

impl Walker<'_> {
    /// Visits a definition.
    fn entity(&mut self, entity: Entity) {
        let arg = match entity {
            Entity::Type(id) => return self.ty(id),
            Entity::Command(id) => self.schema.command(id).arg,
            Entity::Event(id) => self.schema.event(id).arg,
        };
        (self.visit)(Step::Segment(entity, 0));
        let visits_arg = self.schema.rules.have(Fact::ArgumentsCheckedFirst);
        if let Some(arg) = arg.filter(|&arg| visits_arg && self.object(arg).is_some()) {
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

    /// Visits a type, unless it is an object that has been visited before.
    fn ty(&mut self, id: TypeId) {
        if self.object(id).is_none() {
            (self.visit)(Step::Segment(Entity::Type(id), 0));
            return;
        }
        if !matches!(self.state(id), State::New) {
            return;
        }
        // The stack is explicit, because its depth is the schema's choice;
        // recursion could overflow our own stack.
        let mut stack = Vec::new();
        self.enter(id, &mut stack);
        while let Some(frame) = stack.last_mut() {
            let (object, segment) = (frame.object, frame.segment);
            let end = self.segment_end(object, segment);
            if let SegmentEnd::Last = end {
                let depth = self.leave(object, frame.depth);
                stack.pop();
                if let Some(outer) = stack.last_mut() {
                    outer.depth = outer.depth.max(depth + 1);
                    (self.visit)(Step::Segment(Entity::Type(outer.object), outer.segment));
                }
                continue;
            }
            frame.segment += 1;
            if let SegmentEnd::Contained(contained) = end {
                match *self.state(contained) {
                    State::New => {
                        self.enter(contained, &mut stack);
                        continue;
                    }
                    State::Open => (self.visit)(Step::Recursion {
                        object: contained,
                        within: object,
                        segment,
                    }),
                    State::Done(inner) => frame.depth = frame.depth.max(inner + 1),
                }
            }
            (self.visit)(Step::Segment(Entity::Type(object), segment + 1));
        }
    }

    /// Begins to visit an object.
    fn enter(&mut self, object: TypeId, stack: &mut Vec<Frame>) {
        *self.state(object) = State::Open;
        (self.visit)(Step::Segment(Entity::Type(object), 0));
        stack.push(Frame {
            object,
            segment: 0,
            depth: 0,
        });
    }

    /// Finishes an object, and returns the depth to which it contains others.
    fn leave(&mut self, object: TypeId, depth: usize) -> usize {
        if depth == CONTAINMENT_DEPTH_MAX + 1 {
            (self.visit)(Step::TooDeep(object));
        }
        // Clamp the depth, so that objects around one that is too deep are not
        // reported, too.
        let depth = depth.min(CONTAINMENT_DEPTH_MAX + 1);
        *self.state(object) = State::Done(depth);
        depth
    }

    /// Returns QEMU's action at the end of a segment. Segment 0 ends with the
    /// base, and each later one with a branch.
    fn segment_end(&self, id: TypeId, segment: u32) -> SegmentEnd {
        let Some(object) = self.object(id) else {
            return SegmentEnd::Last;
        };
        let contained = match segment.checked_sub(1) {
            None => object.base.filter(|&base| {
                self.object(base)
                    .is_some_and(|base| base.branches.is_none())
            }),
            Some(index) => {
                let branches = object.branches.as_ref();
                match branches.and_then(|branches| branches.list.get(index as usize)) {
                    Some(branch) => Some(branch.ty).filter(|&ty| self.object(ty).is_some()),
                    None => return SegmentEnd::Last,
                }
            }
        };
        contained.map_or(SegmentEnd::Nothing, SegmentEnd::Contained)
    }
}
